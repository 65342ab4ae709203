// Evaluations: starting one, and watching what is under way.
import { call, Fault, page, tell, watch } from "./api.js";
import { moments, one } from "./dom.js";

const AGAIN_MS = 2000; // between two looks at the figures of one that is under way
const MOST_NAME = 120;

// --- a new one ----------------------------------------------------------------------------------------------------------

const form = document.getElementById("new");
form?.addEventListener("submit", async (event) => {
  event.preventDefault();
  const fault = one("[data-fault]", form);
  const button = one("button", form);
  fault.hidden = true;
  button.disabled = true;
  try {
    const started = await (await call("POST", "/v1/evaluations", { json: await wanted() })).json();
    location.assign(`/evaluations/${started.id}`);
  } catch (error) {
    button.disabled = false;
    if (!(error instanceof Fault) || error.status === 401) return tell(error);
    fault.textContent = error.message;
    fault.hidden = false;
  }
});

async function wanted() {
  const { base, file, name, mode, answerable, unanswerable, keep_doubtful: doubtful, judge } = form.elements;
  const [set] = file.files;
  const settings = { mode: mode.value, keep_doubtful: doubtful.checked, judge: judge.checked };
  if (answerable.value) settings.answerable = Number(answerable.value);
  if (unanswerable.value) settings.unanswerable = Number(unanswerable.value);
  const body = {
    knowledge_base_id: base.value,
    question_set_name: set.name.replace(/\.[^.]*$/, "").slice(0, MOST_NAME) || "questions",
    questions: await set.text(),
    format: /\.csv$/i.test(set.name) ? "csv" : "jsonl",
    settings,
  };
  if (name.value.trim()) body.name = name.value.trim();
  return body;
}

// --- one that is watched --------------------------------------------------------------------------------------------------

const place = document.getElementById("evaluation");
let looking = false;

async function look(selector) {
  if (looking) return;
  looking = true;
  try {
    const found = await page(location.href);
    const fresh = document.importNode(one(selector, found.body), true);
    const shown = one(selector);
    for (const { name, value } of fresh.attributes) shown.setAttribute(name, value);
    if (!fresh.hasAttribute("data-running")) shown.removeAttribute("data-running");
    shown.replaceChildren(...fresh.childNodes);
    moments(shown);
  } catch (error) {
    tell(error);
  } finally {
    looking = false;
  }
}

function follow(id) {
  let last = Date.now();
  const end = watch(`/v1/evaluations/${id}/events`, "evaluation", async (told) => {
    const over = told.finished_at !== null || ["done", "failed", "cancelled"].includes(told.state);
    const bar = one("progress", place);
    bar.value = told.done;
    one("#progress-share").textContent = `${told.questions ? Math.floor((100 * told.done) / told.questions) : 0}%`;
    if (over) end();
    if (over || Date.now() - last > AGAIN_MS) {
      last = Date.now();
      await look("#evaluation");
    }
  });
}

if (place?.dataset.running !== undefined) follow(place.dataset.evaluation);

place?.addEventListener("click", async (event) => {
  const button = event.target.closest("button");
  if (button?.dataset.do) {
    button.disabled = true;
    try {
      await call("POST", `/v1/evaluations/${place.dataset.evaluation}/${button.dataset.do}`);
      location.reload();
    } catch (error) {
      button.disabled = false;
      tell(error);
    }
  } else if (button?.id === "delete") {
    const dialog = document.getElementById("delete-evaluation");
    dialog.returnValue = "no";
    dialog.showModal();
    dialog.addEventListener("close", () => dialog.returnValue === "yes" && remove(), { once: true });
  }
});

async function remove() {
  try {
    await call("DELETE", `/v1/evaluations/${place.dataset.evaluation}`);
    location.assign("/evaluations");
  } catch (error) {
    tell(error);
  }
}

// --- the list -------------------------------------------------------------------------------------------------------------

if (one('#eval-list [data-state="running"], #eval-list [data-state="queued"]')) {
  const timer = setInterval(async () => {
    if (document.hidden) return;
    await look("#eval-list");
    if (!one('#eval-list [data-state="running"], #eval-list [data-state="queued"]')) clearInterval(timer);
  }, AGAIN_MS);
}
