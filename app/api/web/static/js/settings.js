// Settings of a knowledge base; what the threshold would do is shown while it is moved.
import { call, tell, watch } from "./api.js";
import { all, fill, one, say, sayCount, stamp, toast } from "./dom.js";
import { saving } from "./forms.js";
import { line, share, show } from "./progress.js";

const place = document.getElementById("settings");
const address = `/v1/knowledge-bases/${encodeURIComponent(place.dataset.base)}`;
const MOST_HITS = 12;

// --- name and language --------------------------------------------------------------------------------------------------

const general = document.getElementById("general");
general.addEventListener("submit", (event) => {
  event.preventDefault();
  saving(general, async () => {
    const { name, language } = general.elements;
    const json = { name: name.value.trim(), language: language.value || null };
    const changed = await (await call("PATCH", address, { json })).json();
    place.dataset.name = changed.name;
    one(".base-name span").textContent = changed.name;
    for (const shown of all(".delete-typed")) shown.textContent = changed.name;
    toast(say("saved"));
  });
});

// --- threshold ----------------------------------------------------------------------------------------------------------

const form = document.getElementById("threshold-form");
const exact = document.getElementById("threshold");
const slider = document.getElementById("threshold-slider");
const usual = document.getElementById("threshold-default");
const list = document.getElementById("preview-list");

slider.addEventListener("input", () => {
  exact.value = slider.value;
  weigh();
});
exact.addEventListener("input", () => {
  slider.value = exact.value;
  weigh();
});
form.addEventListener("submit", (event) => {
  event.preventDefault();
  setThreshold(Number(exact.value));
});
usual.addEventListener("click", () => setThreshold(null));

function setThreshold(value) {
  saving(form, async () => {
    await call("PATCH", address, { json: { threshold: value } });
    const shown = Number(place.dataset.usual).toFixed(3);
    document.getElementById("threshold-state").textContent =
      value === null ? say("threshold_default", { value: shown }) : say("threshold_own", { value: value.toFixed(3), usual: shown });
    usual.disabled = value === null;
    if (value === null) {
      exact.value = slider.value = place.dataset.usual;
      weigh();
    }
    toast(say("saved"));
  });
}

const preview = document.getElementById("preview-form");
preview.addEventListener("submit", async (event) => {
  event.preventDefault();
  const question = one("input", preview).value.trim();
  if (!question) return;
  const button = one("button", preview);
  button.disabled = true;
  document.getElementById("preview-sum").textContent = say("searching");
  try {
    const found = await (await call("POST", `${address}/search`, { json: { question, limit: MOST_HITS, threshold: -1 } })).json();
    list.replaceChildren(...found.hits.sort((a, b) => b.scores.cosine - a.scores.cosine).map(row));
    reach(found.hits.map((hit) => hit.scores.cosine));
    weigh();
  } catch (error) {
    document.getElementById("preview-sum").textContent = "";
    tell(error);
  } finally {
    button.disabled = false;
  }
});

const ROOM = 0.05;

/** Gives the slider the range where these passages are, so that a small move tells. */
function reach(cosines) {
  const all = [...cosines, Number(exact.value)];
  slider.min = (Math.min(...all) - ROOM).toFixed(2);
  slider.max = (Math.max(...all) + ROOM).toFixed(2);
  slider.step = 0.001;
  slider.value = exact.value;
}

function row(hit) {
  const made = stamp("preview-hit");
  made.dataset.cosine = hit.scores.cosine;
  fill(made, "cosine", hit.scores.cosine.toFixed(3));
  fill(made, "name", hit.document_name);
  fill(made, "page", say("page", { n: hit.chunk.page_start }));
  fill(made, "text", hit.chunk.text.slice(0, 300));
  return made;
}

/** Marks what passes the threshold as it stands in the form. */
function weigh() {
  const least = Number(exact.value);
  let passing = 0;
  for (const hit of list.children) {
    const passed = Number(hit.dataset.cosine) >= least;
    hit.dataset.passed = String(passed);
    fill(hit, "verdict", say(passed ? "passes" : "left_out"));
    if (passed) passing++;
  }
  if (list.children.length) {
    document.getElementById("preview-sum").textContent = passing
      ? sayCount("preview_sum", passing, { total: list.children.length })
      : say("preview_refused");
  }
}

// --- chunking -----------------------------------------------------------------------------------------------------------

const chunking = document.getElementById("chunking");
const rebuild = document.getElementById("rebuild");
const begin = one("button:not([type=button])", chunking);
let running = false; // one rebuild at a time: another can begin when it has ended
chunking.addEventListener("submit", async (event) => {
  event.preventDefault();
  await saving(chunking, async () => {
    const { chunk_size: size, chunk_overlap: overlap } = chunking.elements;
    const json = { chunk_size: Number(size.value), chunk_overlap: Number(overlap.value) };
    follow((await (await call("POST", `${address}/rebuild`, { json })).json()).id);
  });
  begin.disabled = running;
});

function follow(id) {
  running = true;
  rebuild.dataset.job = id;
  rebuild.hidden = false;
  one("#rebuild-cancel").hidden = false;
  const end = watch(`/v1/jobs/${id}/events`, "job", (job) => {
    show(one("progress", rebuild), share(job));
    fill(rebuild, "progress", job.state === "cancelled" ? say("state.cancelled") : line(job));
    if (job.ended_at === null) return;
    end();
    show(one("progress", rebuild), job.state === "done" ? 1 : 0);
    one("#rebuild-cancel").hidden = true;
    running = begin.disabled = false;
  });
}

document.getElementById("rebuild-cancel").addEventListener("click", () => {
  call("POST", `/v1/jobs/${rebuild.dataset.job}/cancel`).catch(tell);
});
if (rebuild.dataset.job) follow(rebuild.dataset.job);

// --- the end ------------------------------------------------------------------------------------------------------------

const dialog = document.getElementById("delete-base");
if (dialog) {
  const typed = document.getElementById("delete-name");
  const confirm = document.getElementById("delete-confirm");
  document.getElementById("delete").addEventListener("click", () => {
    typed.value = "";
    confirm.disabled = true;
    dialog.showModal();
    typed.focus();
  });
  typed.addEventListener("input", () => {
    confirm.disabled = typed.value.trim() !== place.dataset.name.trim();
  });
  typed.addEventListener("keydown", (event) => {
    if (event.key === "Enter") {
      event.preventDefault();
      confirm.click();
    }
  });
  confirm.addEventListener("click", async () => {
    confirm.disabled = true;
    try {
      await call("DELETE", address);
      location.assign("/kb");
    } catch (error) {
      confirm.disabled = false;
      const fault = one("[data-fault]", dialog);
      fault.textContent = error.message;
      fault.hidden = false;
    }
  });
}
