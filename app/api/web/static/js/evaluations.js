// Evaluations: starting one, and watching what is under way.
import { call, tell, watch } from "./api.js";
import { one } from "./dom.js";
import { confirmed, rows, saving } from "./forms.js";
import { look, lookWhile } from "./refresh.js";

const AGAIN_MS = 2000; // between two looks at the figures of one that is under way
const MOST_NAME = 120;

// --- a new one ----------------------------------------------------------------------------------------------------------

const form = document.getElementById("new");
form?.addEventListener("submit", (event) => {
  event.preventDefault();
  saving(form, async () => {
    const started = await (await call("POST", "/v1/evaluations", { json: await wanted() })).json();
    location.assign(`/evaluations/${started.id}`);
    return true;
  });
});

async function wanted() {
  const { base, file, name, mode, answerable, unanswerable, keep_doubtful: doubtful, judge } = form.elements;
  const set = await rows(file.files[0], MOST_NAME);
  const settings = { mode: mode.value, keep_doubtful: doubtful.checked, judge: judge.checked };
  if (answerable.value) settings.answerable = Number(answerable.value);
  if (unanswerable.value) settings.unanswerable = Number(unanswerable.value);
  const body = {
    knowledge_base_id: base.value,
    question_set_name: set.name,
    questions: set.text,
    format: set.format,
    settings,
  };
  if (name.value.trim()) body.name = name.value.trim();
  return body;
}

// --- one that is watched --------------------------------------------------------------------------------------------------

const place = document.getElementById("evaluation");

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
    if (await confirmed(document.getElementById("delete-evaluation"))) remove();
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

lookWhile("#eval-list", ':is([data-state="running"], [data-state="queued"])', AGAIN_MS);
