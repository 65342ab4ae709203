// Drafts: saying what is right, finding the passage that says so, deleting, and evaluating with them.
import { call, tell } from "./api.js";
import { fill, one, say, stamp, toast } from "./dom.js";
import { saving } from "./forms.js";

const MOST_QUOTE = 2000;
const MOST_NAME = 120;
const place = document.getElementById("drafts");
const base = `/v1/knowledge-bases/${encodeURIComponent(place.dataset.base)}`;
const filters = document.getElementById("filters");
filters.addEventListener("change", () => filters.requestSubmit());

const addressOf = (form) => `/v1/drafts/${encodeURIComponent(form.dataset.draft)}`;

place.addEventListener("submit", (event) => {
  const form = event.target;
  if (!form.matches(".draft")) return;
  event.preventDefault();
  saving(form, async () => {
    await call("PUT", addressOf(form), { json: expected(form) });
    location.reload();
    return true;
  });
});

function expected(form) {
  const { question, unanswerable, answers, document: named, pages, quote } = form.elements;
  if (unanswerable.checked) return { question: question.value, answerable: false };
  return {
    question: question.value,
    answers: answers.value.split("\n").map((line) => line.trim()).filter(Boolean),
    document: named.value.trim() || null,
    pages: pages.value.split(/[,，\s]+/).filter(Boolean).map(Number),
    quote: quote.value,
  };
}

place.addEventListener("change", (event) => {
  if (event.target.name === "unanswerable") {
    one(".draft-answer", event.target.form).hidden = event.target.checked;
  }
});

place.addEventListener("click", async (event) => {
  const button = event.target.closest("button");
  const form = button?.closest(".draft");
  if (!button) return;
  if (button.id === "evaluate") evaluate(button);
  else if (form && button.dataset.find !== undefined) find(form, button);
  else if (form && button.dataset.delete !== undefined) remove(form);
});

async function remove(form) {
  try {
    await call("DELETE", addressOf(form));
    location.reload();
  } catch (error) {
    tell(error);
  }
}

/** Passages that may state the answer, to be looked at and taken. */
async function find(form, button) {
  button.disabled = true;
  try {
    const json = { question: form.elements.question.value, threshold: -1 };
    const { hits } = await (await call("POST", `${base}/search`, { json })).json();
    const list = one("[data-found]", form);
    list.replaceChildren(...hits.map((hit) => row(form, hit)));
    list.hidden = !hits.length;
    if (!hits.length) toast(say("nothing_found"));
  } catch (error) {
    tell(error);
  } finally {
    button.disabled = false;
  }
}

function row(form, hit) {
  const item = stamp("found");
  const page = hit.chunk.page_start;
  const view = one("[data-view]", item);
  Object.assign(view.dataset, { document: hit.document_id, name: hit.document_name, page, chunk: hit.chunk.id });
  fill(item, "place", `${hit.document_name}, ${say("page", { n: page })}`);
  fill(item, "text", hit.chunk.text);
  one("[data-take]", item).addEventListener("click", () => {
    form.elements.document.value = hit.document_name;
    form.elements.pages.value = String(page);
    form.elements.quote.value = hit.chunk.text.slice(0, MOST_QUOTE);
    form.elements.answers.focus();
  });
  return item;
}

async function evaluate(button) {
  button.disabled = true;
  try {
    const questions = await (await call("GET", `${base}/drafts/export?kind=question`)).text();
    const set = button.dataset.name.slice(0, MOST_NAME);
    const json = { knowledge_base_id: place.dataset.base, question_set_name: set, questions, format: "jsonl" };
    const started = await (await call("POST", "/v1/evaluations", { json })).json();
    location.assign(`/evaluations/${started.id}`);
  } catch (error) {
    button.disabled = false;
    tell(error);
  }
}
