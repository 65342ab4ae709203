// The page of documents: dropping files on it, and the list, which is live.
import { call, get, page, tell, watch } from "./api.js";
import { fill, moments, one, say, toast } from "./dom.js";
import { askToDelete } from "./deleting.js";
import { line, share, show } from "./progress.js";
import { dropped, named, Uploads } from "./uploads.js";

const place = document.getElementById("documents-page");
const list = document.getElementById("document-list");
const filters = document.getElementById("filters");
const base = place.dataset.base;
const editing = place.dataset.editing !== undefined;

const TYPED_MS = 300;
const CHANGED_MS = 500;

// --- the list ---------------------------------------------------------------------------------------------------------

let asked = null; // the AbortController of the newest list that was asked for

async function load(address, { quiet = false } = {}) {
  asked?.abort();
  asked = new AbortController();
  if (!quiet) list.ariaBusy = "true";
  try {
    const found = await page(address, { signal: asked.signal });
    const fresh = one("#document-list", found.body);
    const focused = list.contains(document.activeElement) ? document.activeElement.closest("[data-document]")?.dataset.document : null;
    list.replaceChildren(...document.importNode(fresh, true).childNodes);
    list.dataset.total = fresh.dataset.total;
    moments(list);
    for (const job of jobs.values()) progress(job);
    if (focused) one(`[data-document="${CSS.escape(focused)}"] a`, list)?.focus();
  } catch (error) {
    tell(error);
  } finally {
    list.ariaBusy = "false";
  }
}

function wanted() {
  const query = new URLSearchParams(new FormData(filters));
  for (const [name, value] of [...query]) if (!value || (name === "sort" && value === "-created")) query.delete(name);
  const text = query.toString();
  return text ? `${location.pathname}?${text}` : location.pathname;
}

function narrow() {
  const address = wanted();
  history.replaceState(null, "", address);
  load(address);
}

let typed = null;
filters.addEventListener("input", (event) => {
  clearTimeout(typed);
  typed = setTimeout(narrow, event.target.type === "search" ? TYPED_MS : 0);
});
filters.addEventListener("submit", (event) => {
  event.preventDefault();
  clearTimeout(typed);
  narrow();
});

list.addEventListener("click", (event) => {
  const link = event.target.closest('a[rel="next"], a[rel="prev"]');
  if (link) {
    event.preventDefault();
    history.replaceState(null, "", link.href);
    load(link.href).then(() => list.scrollIntoView({ block: "start" }));
    return;
  }
  const button = event.target.closest("button");
  const row = button?.closest("[data-document]");
  if (!row) return;
  if (button.dataset.delete !== undefined) {
    askToDelete(base, row.dataset.document, button.dataset.delete, () => load(location.href, { quiet: true }));
  } else if (button.dataset.retry !== undefined) {
    act(row, "retry");
  } else if (button.dataset.cancel !== undefined) {
    act(row, "cancel");
  }
});

async function act(row, doing) {
  try {
    const { jobs: found } = await get(`/v1/jobs?knowledge_base_id=${base}&document_id=${row.dataset.document}&limit=1`);
    if (found.length) await call("POST", `/v1/jobs/${found[0].id}/${doing}`);
    await load(location.href, { quiet: true });
  } catch (error) {
    tell(error);
  }
}

// --- what the server is doing -------------------------------------------------------------------------------------------

const jobs = new Map(); // id -> job that is under way
let changed = null;

function refresh() {
  changed ??= setTimeout(() => {
    changed = null;
    load(location.href, { quiet: true });
  }, CHANGED_MS);
}

function progress(job) {
  const row = job.document_id && one(`[data-document="${CSS.escape(job.document_id)}"]`, list);
  if (!row) return false;
  const box = one('[data-slot="progress-box"]', row);
  const badge = one("[data-state]", row);
  const state = job.state === "queued" ? "queued" : "processing";
  badge.dataset.state = state;
  badge.className = `badge ${state}`;
  fill(row, "state", say(`state.${state}`));
  box.hidden = false;
  show(one("progress", box), share(job));
  fill(row, "progress", line(job));
  return true;
}

function told(job) {
  uploads?.take(job);
  if (job.kind !== "ingest") return;
  if (job.ended_at !== null) {
    jobs.delete(job.id);
    refresh();
  } else {
    const isNew = !jobs.has(job.id);
    jobs.set(job.id, job);
    if (!progress(job) && isNew) refresh();
  }
}

// --- files ------------------------------------------------------------------------------------------------------------

const uploads = editing ? new Uploads(place, refresh) : null;
watch(`/v1/jobs/events?knowledge_base_id=${encodeURIComponent(base)}`, "job", told);

function take(files) {
  if (files.length) uploads.add(files).catch(tell);
  else toast(say("upload.none"));
}

if (editing) {
  for (const id of ["choose-files", "choose-folder"]) {
    const input = document.getElementById(id);
    input.addEventListener("change", () => {
      const files = [...input.files].filter((file) => id === "choose-files" || !file.name.startsWith("."));
      take(named(files));
      input.value = "";
    });
  }
  const veil = document.getElementById("drop-veil");
  const hasFiles = (event) => event.dataTransfer?.types.includes("Files");
  addEventListener("dragover", (event) => {
    if (!hasFiles(event)) return;
    event.preventDefault();
    veil.hidden = false;
  });
  addEventListener("dragleave", (event) => {
    if (event.relatedTarget === null) veil.hidden = true;
  });
  addEventListener("drop", (event) => {
    if (!hasFiles(event)) return;
    event.preventDefault();
    veil.hidden = true;
    dropped(event.dataTransfer).then(take, tell);
  });
  uploads.start().catch(tell);
}
