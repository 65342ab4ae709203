// The list of jobs, live.
import { call, page, tell, watch } from "./api.js";
import { fill, moments, one, say } from "./dom.js";
import { line, share, show } from "./progress.js";

const list = document.getElementById("job-list");
const CHANGED_MS = 700;
const running = new Map();
let changed = null;

async function load() {
  changed = null;
  try {
    const found = await page(location.href);
    list.replaceChildren(...document.importNode(one("#job-list", found.body), true).childNodes);
    moments(list);
    for (const job of running.values()) draw(job);
  } catch (error) {
    tell(error);
  }
}

function refresh() {
  changed ??= setTimeout(load, CHANGED_MS);
}

function draw(job) {
  const row = one(`[data-job="${CSS.escape(job.id)}"]`, list);
  if (!row) return false;
  row.dataset.state = job.state;
  one('[data-slot="state-badge"]', row).className = `badge ${job.state}`;
  fill(row, "state", say(`state.${job.state}`));
  const bar = one("progress", row);
  bar.ariaLabel = line(job);
  show(bar, share(job));
  fill(row, "progress", line(job));
  return true;
}

watch("/v1/jobs/events", "job", (job) => {
  if (job.ended_at !== null) {
    running.delete(job.id);
    refresh();
    return;
  }
  const isNew = !running.has(job.id);
  running.set(job.id, job);
  if (!draw(job) && isNew) refresh();
});

list.addEventListener("click", async (event) => {
  const button = event.target.closest("button[data-do]");
  if (!button) return;
  button.disabled = true;
  try {
    await call("POST", `/v1/jobs/${button.closest("[data-job]").dataset.job}/${button.dataset.do}`);
    await load();
  } catch (error) {
    button.disabled = false;
    tell(error);
  }
});
document.getElementById("filters").addEventListener("change", (event) => event.currentTarget.requestSubmit());
