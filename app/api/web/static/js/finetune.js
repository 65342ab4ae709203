// Trainings: what would be learned from a file of pairs and what that costs, starting it, and the list.
import { call } from "./api.js";
import { fill, number, one, say, sayCount, stamp } from "./dom.js";
import { rows, saving } from "./forms.js";
import { span } from "./progress.js";
import { lookWhile } from "./refresh.js";

const AGAIN_MS = 2000;
const MOST_NAME = 100;
const CHOICES = ["epochs", "rank", "learning_rate", "max_tokens"];

const form = document.getElementById("new");
const looked = document.getElementById("looked");
const looking = document.getElementById("looking");
let order = null; // what was looked at, and is started as it was

async function wanted() {
  const { base, file, name, drafts } = form.elements;
  const pairs = await rows(file.files[0], MOST_NAME);
  const training = {};
  for (const choice of CHOICES) if (form.elements[choice].value) training[choice] = Number(form.elements[choice].value);
  const body = {
    knowledge_base_id: base.value,
    pairs_name: pairs.name,
    pairs: pairs.text,
    format: pairs.format,
    data: { drafts: drafts.checked },
    training,
  };
  if (name.value.trim()) body.name = name.value.trim();
  return body;
}

async function told(address, json) {
  return (await call("POST", address, { json })).json();
}

form?.addEventListener("submit", (event) => {
  event.preventDefault();
  saving(form, async () => {
    forget();
    const mine = await wanted();
    try {
      looking.textContent = say("tune.estimating");
      showEstimate(await told("/v1/finetune/estimate", mine));
      looking.textContent = say("tune.searching");
      const data = await told("/v1/finetune/datasets", mine);
      report.replaceChildren();
      showData(data);
      showEstimate(data.estimate);
      order = mine;
      one("button", start).hidden = data.estimate.refusal !== null;
    } finally {
      looking.textContent = "";
    }
  });
});
form?.addEventListener("input", forget);

/** What was looked at is not what would be started any more. */
function forget() {
  order = null;
  looked.hidden = true;
  report.replaceChildren();
  previews.replaceChildren();
  one("button", start).hidden = true;
}

// --- the report ---------------------------------------------------------------------------------------------------------

const report = document.getElementById("report");
const previews = document.getElementById("previews");
const refusal = document.getElementById("refusal");

function fact(name, text) {
  const term = document.createElement("dt");
  const value = document.createElement("dd");
  term.textContent = name;
  value.textContent = text;
  report.append(term, value);
}

function counted(counts, prefix) {
  return Object.entries(counts).map(([key, n]) => `${say(`${prefix}.${key}`)}: ${number(n)}`).join(" · ");
}

function side({ examples, kinds, documents }) {
  return `${number(examples)} (${counted(kinds, "tune.kind")}), ${sayCount("tune.documents", documents)}`;
}

function showData(data) {
  fact(say("tune.pairs"), number(data.pairs));
  fact(say("tune.train"), side(data.train));
  fact(say("tune.heldout"), side(data.heldout));
  const out = { ...data.left_out, repeated: data.repeated, leaking: data.leaking, too_long: data.too_long, drafts: data.drafts_left_out };
  const left = Object.fromEntries(Object.entries(out).filter(([, n]) => n));
  if (Object.keys(left).length) fact(say("tune.left_out"), counted(left, "tune.out"));
  const { median, most, longest } = data.train.tokens;
  fact(say("tune.tokens"), say("tune.lengths", { median: number(median), most: number(most), longest: number(longest) }));
  for (const { kind, read, learned } of data.previews) {
    const made = stamp("preview");
    fill(made, "kind", say("tune.preview", { kind: say(`tune.kind.${kind}`) }));
    fill(made, "read", read);
    fill(made, "learned", learned);
    previews.append(made);
  }
}

function showEstimate({ steps, seconds, memory_mb: memory, disk_mb: disk, refusal: why }) {
  looked.hidden = false;
  fact(say("tune.cost"), say("tune.costs", { steps: number(steps), time: span(seconds), memory: number(memory), disk: number(disk) }));
  refusal.hidden = why === null;
  if (why) fill(refusal, "why", why.message);
}

const start = document.getElementById("start");
start?.addEventListener("submit", (event) => {
  event.preventDefault();
  if (!order) return;
  saving(start, async () => {
    const started = await told("/v1/finetune/jobs", order);
    location.assign(`/finetune/${started.id}`);
    return true;
  });
});

lookWhile("#tune-list", ':is([data-state="running"], [data-state="queued"])', AGAIN_MS);
