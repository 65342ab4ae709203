// One training: its curves and figures as they come, stopping it, going on, deleting it.
import { call, get, tell, watch } from "./api.js";
import { all, number, one, say } from "./dom.js";
import { Chart } from "./chart.js";
import { confirmed } from "./forms.js";
import { show, span } from "./progress.js";

const place = document.getElementById("training");
const address = `/v1/finetune/jobs/${place.dataset.training}`;
const ENDED = ["done", "failed", "cancelled"];
const SHOWN = {
  heldout_loss: (value) => value.toFixed(3),
  loss: (value) => value.toFixed(3),
  heldout_perplexity: (value) => value.toFixed(2),
  learning_rate: (value) => value.toExponential(1),
  tokens_per_second: (value) => number(Math.round(value)),
  memory_mb: (value) => `${(value / 1000).toFixed(1)} GB`,
};

const chart = new Chart(document.getElementById("chart"));
const curves = { steps: [], evaluations: [], alarms: [] };

/** Takes in points that are new; what was told of steps beyond `after` does not hold any more. */
function take(news) {
  for (const name of Object.keys(curves)) {
    curves[name] = [...curves[name].filter((point) => point.step <= news.after), ...news[name]];
  }
}

function draw(job) {
  const { state, stage, step, steps, seconds_left: left, figures } = job;
  const total = steps === null ? say(`tune.stage.${stage}`) : say("tune.steps", { step: number(step), steps: number(steps), stage: say(`tune.stage.${stage}`) });
  const line = ENDED.includes(state) && state !== "done" ? `${say(`state.${state}`)} · ${total}` : total;
  const status = one("#progress-line");
  const text = left === null ? line : say("stage.left", { text: line, left: span(left) });
  if (status.textContent !== text) status.textContent = text;
  const moves = !ENDED.includes(state) && (steps === null || stage === "registering");
  show(one("#bar"), moves && state !== "queued" ? null : steps ? step / steps : 0);
  for (const [name, text] of Object.entries(SHOWN)) {
    const value = figures[name];
    if (typeof value === "number") one(`[data-figure="${name}"]`).textContent = text(value);
  }
  one("#tiles").hidden = figures.loss === undefined && figures.heldout_loss === undefined;
  if (figures.loss_before !== undefined && figures.best_loss !== undefined) {
    const { loss_before: before, best_loss: best, best_step: at } = figures;
    one("#best").textContent = say("tune.best", { before: before.toFixed(3), best: best.toFixed(3), step: number(at) });
  }
  drawCurves(steps);
}

function drawCurves(steps) {
  const { evaluations, alarms } = curves;
  const some = curves.steps.length > 0 || evaluations.length > 0;
  one("#chart-none").hidden = some;
  if (some) chart.draw(curves, steps);
  one("#evaluations").hidden = !evaluations.length;
  one("#evaluations tbody").replaceChildren(...evaluations.map(row));
  one("#alarms").replaceChildren(...alarms.map(alarm));
}

function row({ step, loss, perplexity }) {
  const made = document.createElement("tr");
  for (const text of [number(step), loss.toFixed(3), perplexity === null ? "–" : perplexity.toFixed(2)]) {
    const cell = document.createElement("td");
    cell.textContent = text;
    if (made.children.length) cell.className = "number";
    made.append(cell);
  }
  return made;
}

function alarm({ step, code }) {
  const made = document.createElement("li");
  made.className = "notice warn";
  made.dataset.testid = "alarm";
  made.textContent = say("tune.alarm", { step: number(step), what: say(`tune.alarm.${code}`) });
  return made;
}

async function follow() {
  if (place.dataset.running === undefined) {
    const [job, known] = await Promise.all([get(address), get(`${address}/curves`)]);
    take(known);
    draw(job);
    return;
  }
  const end = watch(`${address}/events`, "job", (job) => {
    take(job.curves);
    draw(job);
    if (!ENDED.includes(job.state)) return;
    end();
    location.reload(); // with what can be done now, and the adapter
  });
}

follow().catch(tell);

place.addEventListener("click", async (event) => {
  const button = event.target.closest("button");
  if (button?.dataset.do) {
    button.disabled = true;
    try {
      await call("POST", `${address}/${button.dataset.do}`);
      location.reload();
    } catch (error) {
      button.disabled = false;
      tell(error);
    }
  } else if (button?.id === "delete" && (await confirmed(document.getElementById("delete-training")))) remove();
});

async function remove() {
  for (const button of all("button", place)) button.disabled = true;
  try {
    await call("DELETE", address);
    location.assign("/finetune");
  } catch (error) {
    tell(error);
  }
}
