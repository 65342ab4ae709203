// The review queue: marking answers, and making drafts of them, by mouse and by keyboard.
import { call, tell } from "./api.js";
import { all, one, say } from "./dom.js";

const filters = document.getElementById("filters");
filters.addEventListener("change", () => filters.requestSubmit());

const cards = all(".review");
const address = (card) => `/v1/calls/${encodeURIComponent(card.dataset.call)}`;

function tellSoftly(text) {
  document.getElementById("said").textContent = text;
}

function pressed(card) {
  return one('[data-label][aria-pressed="true"]', card)?.dataset.label ?? null;
}

async function keep(card, label) {
  const note = one("textarea", card).value.trim();
  try {
    if (label) await call("PUT", `${address(card)}/label`, { json: note ? { label, note } : { label } });
    else await call("DELETE", `${address(card)}/label`);
  } catch (error) {
    tell(error);
    return;
  }
  for (const button of all("[data-label]", card)) {
    button.setAttribute("aria-pressed", button.dataset.label === label ? "true" : "false");
  }
  one("[data-note]", card).hidden = !label;
  tellSoftly(say(label ? "label_kept" : "label_gone"));
}

/** Marks an answer; the same again takes it back. */
function mark(card, label) {
  return keep(card, pressed(card) === label ? null : label);
}

async function make(card, kind) {
  const button = one(`[data-make="${kind}"]`, card);
  if (button.hidden || button.disabled) return;
  button.disabled = true;
  try {
    await call("POST", `${address(card)}/drafts`, { json: { kind } });
    const made = one(`[data-made="${kind}"]`, card);
    const held = document.activeElement === button;
    button.hidden = true;
    made.hidden = false;
    if (held) made.focus();
    tellSoftly(say("draft_made"));
  } catch (error) {
    tell(error);
  } finally {
    button.disabled = false;
  }
}

document.addEventListener("click", (event) => {
  const button = event.target.closest("button");
  const card = button?.closest(".review");
  if (!card) return;
  if (button.dataset.label) mark(card, button.dataset.label);
  else if (button.dataset.make) make(card, button.dataset.make);
  else if (button.dataset.saveNote !== undefined) keep(card, pressed(card));
});

// --- the keyboard: J and K go through the cards, the letters act on the one that has the focus ---------------------------

const LABELS = { r: "right", w: "wrong", u: "unsupported" };
const KINDS = { e: "question", t: "pair" };

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.repeat || one("dialog[open]")) return;
  if (event.target.closest("input, textarea, select")) return;
  const key = event.key.toLowerCase();
  const card = document.activeElement?.closest(".review");
  if (key === "j" || key === "k") {
    const next = card ? cards[cards.indexOf(card) + (key === "j" ? 1 : -1)] : cards[0];
    next?.focus();
    next?.scrollIntoView({ block: "nearest" });
  } else if (card && LABELS[key]) mark(card, LABELS[key]);
  else if (card && KINDS[key]) make(card, KINDS[key]);
  else return;
  event.preventDefault();
});
