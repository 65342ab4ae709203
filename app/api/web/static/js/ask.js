// A conversation: asking, the answer as it is written, feedback, history.
import { Fault, call, events, page, signInAddress, tell } from "./api.js";
import { all, fill, moments, one, say, sayCount, stamp, toast } from "./dom.js";
import { Comparison } from "./compare.js";
import "./viewer.js";

const place = document.getElementById("ask");
const turns = document.getElementById("turns");
const form = document.getElementById("composer");
const question = document.getElementById("question");
const send = document.getElementById("send");
const stop = document.getElementById("stop");
const said = document.getElementById("said");
const scroll = document.getElementById("scroll");
const base = place.dataset.base;

const LOOKS = [150, 300, 600, 1200, 2400, 4000, 8000]; // milliseconds between looks at a turn that is not settled yet
const DRAFT = "manualqa-draft"; // what was typed when the session ended, until one is back
const LONG = [...LOOKS, ...Array(20).fill(LOOKS.at(-1))]; // while another tab has it answered
const NEAR = 120; // pixels from the end within which the view follows what is written

let asking = null; // the AbortController of the answer that is being written

function wait(milliseconds) {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}

// --- asking ------------------------------------------------------------------------------------------------------

form.addEventListener("submit", (event) => {
  event.preventDefault();
  const text = question.value.trim();
  if (text && !asking) begun(text);
});

/** Has the question answered, by two where it is to be compared. */
function begun(text) {
  const other = document.getElementById("compare")?.selectedOptions[0];
  if (other?.value) compare(text, { id: other.value, name: other.dataset.name });
  else ask(text);
}

question.addEventListener("keydown", (event) => {
  // while an input method composes, Enter takes its suggestion
  if (event.key === "Enter" && !event.shiftKey && !event.isComposing && event.keyCode !== 229) {
    event.preventDefault();
    form.requestSubmit();
  }
});

stop.addEventListener("click", () => asking?.abort());

async function ask(text) {
  asking = new AbortController();
  busy(true);
  question.value = "";
  question.placeholder = question.dataset.follow;
  document.getElementById("welcome")?.remove();
  const live = new Live(text);
  turns.append(live.element);
  live.element.scrollIntoView({ block: "start" });
  try {
    const conversation = place.dataset.conversation || (await begin(text));
    const response = await call("POST", `/v1/conversations/${conversation}/ask`, {
      json: { question: text },
      headers: { Accept: "text/event-stream" },
      signal: asking.signal,
    });
    for await (const { event, data } of events(response)) live.take(event, data);
    if (!live.ended) throw new Fault("offline", say("gone"));
    await settle(live);
  } catch (error) {
    await brokenOff(live, error, text);
  } finally {
    asking = null;
    busy(false);
  }
}

/** Puts the question to the base model and to an adapter, side by side; the conversation does not keep it. */
async function compare(text, adapter) {
  asking = new AbortController();
  busy(true);
  question.value = "";
  document.getElementById("welcome")?.remove();
  const comparison = new Comparison(text, adapter);
  turns.append(comparison.element);
  comparison.element.scrollIntoView({ block: "start" });
  said.textContent = say("searching");
  try {
    await comparison.run(base, asking.signal);
    said.textContent = comparison.spoken();
  } catch (error) {
    if (error.status === 401) sessionStorage.setItem(DRAFT, text);
    tell(error);
  } finally {
    asking = null;
    busy(false);
  }
}

async function brokenOff(live, error, text) {
  if (error.name === "AbortError" && !live.id) {
    live.element.remove();
    question.value ||= text;
    return;
  }
  if (error.name === "AbortError") {
    live.tell(say("stopping"));
    try {
      await settle(live);
      return;
    } catch (again) {
      error = again;
    }
  }
  if (error.status === 401) {
    sessionStorage.setItem(DRAFT, text);
    tell(error);
    return;
  }
  if (error.code === "offline" && live.id) {
    live.fail(say("gone"));
    settle(live).catch(() => {}); // what the server has kept of it, once it can be reached
    return;
  }
  if (!(error instanceof Fault)) console.error(error);
  live.fail(error instanceof Fault ? error.message : say("failed"));
}

/** Makes the conversation, and gives the page its address. */
async function begin(title) {
  const made = await (await call("POST", `/v1/knowledge-bases/${base}/conversations`, { json: {} })).json();
  place.dataset.conversation = made.id;
  history.replaceState(null, "", `/kb/${base}/ask/${made.id}`);
  const row = stamp("live-history");
  const link = fill(row, "title", title);
  link.href = `/kb/${base}/ask/${made.id}`;
  link.title = title;
  const forget = one("[data-forget]", row);
  forget.dataset.forget = made.id;
  forget.ariaLabel = say("history.delete", { title });
  for (const other of all('#history-list [aria-current="page"]')) other.removeAttribute("aria-current");
  document.getElementById("history-list").prepend(row);
  document.getElementById("history-none").hidden = true;
  return made.id;
}

function busy(on) {
  send.hidden = on;
  stop.hidden = !on;
  if (!on && (document.activeElement === document.body || document.activeElement === stop)) question.focus();
}

/** Puts what the server has made of a turn in the place of what was streamed; waits while it is still being made. */
async function settle(live, looks = LOOKS) {
  let fault = null;
  for (const delay of [0, ...looks]) {
    if (delay) await wait(delay);
    try {
      const found = await fragment(live.id);
      fault = null;
      if (found.dataset.state !== "running") {
        replace(live.element, found);
        return;
      }
    } catch (error) {
      if (!(error instanceof Fault) || error.code !== "offline") throw error;
      fault = error;
    }
  }
  throw fault ?? new Fault("offline", say("gone"));
}

async function fragment(id) {
  const found = await page(`/kb/${base}/turns/${id}`);
  return document.importNode(one("article.turn", found.body), true);
}

function replace(old, found) {
  const follow = atEnd();
  old.replaceWith(found);
  moments(found);
  const spoken = one("[data-spoken]", found) ?? one(".notice span", found);
  said.textContent = spoken ? all(".sentence", spoken).map((part) => part.textContent).join(" ") || spoken.textContent : "";
  if (follow) toEnd();
}

function atEnd() {
  return scroll.scrollHeight - scroll.scrollTop - scroll.clientHeight < NEAR;
}

function toEnd() {
  const last = turns.lastElementChild;
  if (!last) return;
  // a long answer keeps its beginning in view
  if (last.offsetHeight > scroll.clientHeight) last.scrollIntoView({ block: "start" });
  else scroll.scrollTop = scroll.scrollHeight;
}

/** A turn while it is being answered: all that comes is put in as text. */
class Live {
  constructor(text) {
    this.element = stamp("live-turn");
    this.element.ariaLabel = text;
    this.id = null;
    this.ended = false;
    this.answer = one(".answer", this.element);
    fill(this.element, "question", text);
    this.tell(say("searching"));
  }

  tell(words) {
    const line = one(".thinking", this.element);
    line.hidden = false;
    fill(this.element, "status", words);
    said.textContent = words;
  }

  take(event, data) {
    if (event === "turn") {
      this.id = data.id;
      this.element.dataset.turn = data.id;
    } else if (event === "rewritten") {
      one(".rewritten", this.element).hidden = false;
      fill(this.element, "rewritten", data.question);
    } else if (event === "sources") {
      this.sources(data);
    } else if (event === "token") {
      this.token(data.text);
    } else if (event === "done" || event === "error") {
      this.ended = true;
      this.answer.ariaBusy = "false";
    }
  }

  sources(found) {
    if (found.hits.length) this.tell(sayCount("reading", found.hits.length));
    const list = one(".source-list", this.element);
    for (const hit of found.hits.slice(0, 6)) {
      const card = stamp("live-source");
      const { page_start: first, page_end: last, text, id } = hit.chunk;
      fill(card, "name", hit.document_name);
      fill(card, "page", last > first ? say("pages", { first, last }) : say("page", { n: first }));
      fill(card, "text", text.slice(0, 220));
      Object.assign(one("button", card).dataset, { document: hit.document_id, name: hit.document_name, page: first, chunk: id });
      list.append(card);
    }
    one(".sources", this.element).hidden = !found.hits.length;
    if (atEnd()) toEnd();
  }

  token(text) {
    const follow = atEnd();
    this.answer.hidden = false;
    one(".thinking", this.element).hidden = true;
    this.answer.append(document.createTextNode(text));
    if (follow) toEnd();
  }

  fail(words) {
    one(".thinking", this.element).hidden = true;
    this.answer.classList.remove("streaming");
    this.answer.ariaBusy = "false";
    const box = stamp("live-error");
    fill(box, "text", words);
    this.element.append(box);
    this.element.dataset.state = "failed";
    said.textContent = words;
    if (atEnd()) toEnd();
  }
}

// --- what stands below an answer ------------------------------------------------------------------------------------

document.addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (!button) return;
  const turn = button.closest("article.turn");
  if (button.dataset.copy !== undefined) copy(button.dataset.copy);
  else if (button.dataset.feedback) judge(turn, button);
  else if (button.dataset.again !== undefined) again(turn);
  else if (button.dataset.forget) forget(button);
  else if (button.dataset.idea !== undefined) {
    question.value = button.textContent;
    question.focus();
  } else if (button.dataset.historyOpen !== undefined) showHistory(true);
  else if (button.dataset.historyClose !== undefined) showHistory(false);
});

function again(turn) {
  if (!asking) begun(one(".asked", turn).textContent);
}

async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    toast(say("copied"));
  } catch {
    toast(say(copiedOldWay(text) ? "copied" : "copy_failed"));
  }
}

/** Where the page came without https, browsers offer no clipboard but this. */
function copiedOldWay(text) {
  const area = document.createElement("textarea");
  area.value = text;
  area.className = "unseen";
  document.body.append(area);
  area.select();
  const done = document.execCommand("copy");
  area.remove();
  return done;
}

async function judge(turn, button) {
  const taken = button.getAttribute("aria-pressed") === "true";
  const comment = one("[data-comment]", turn);
  try {
    if (taken) await call("DELETE", `/v1/turns/${turn.dataset.turn}/feedback`);
    else await call("PUT", `/v1/turns/${turn.dataset.turn}/feedback`, { json: verdictOf(button.dataset.feedback, comment) });
  } catch (error) {
    tell(error);
    return;
  }
  for (const other of all("[data-feedback]", turn)) other.setAttribute("aria-pressed", String(other === button && !taken));
  comment.hidden = taken;
  if (!taken) one("textarea", comment).focus();
}

function verdictOf(verdict, comment) {
  const text = one("textarea", comment).value.trim();
  return text ? { verdict, comment: text } : { verdict };
}

document.addEventListener("keydown", (event) => {
  const comment = event.target.closest?.("[data-comment]");
  if (comment && event.key === "Enter" && (event.ctrlKey || event.metaKey)) comment.requestSubmit();
});

document.addEventListener("submit", async (event) => {
  const comment = event.target.closest("[data-comment]");
  if (!comment) return;
  event.preventDefault();
  const turn = comment.closest("article.turn");
  const pressed = one('[data-feedback][aria-pressed="true"]', turn);
  try {
    await call("PUT", `/v1/turns/${turn.dataset.turn}/feedback`, { json: verdictOf(pressed?.dataset.feedback ?? "up", comment) });
    toast(say("thanks"));
  } catch (error) {
    tell(error);
  }
});

// --- history ----------------------------------------------------------------------------------------------------------

const panel = document.getElementById("history");
const opener = one("[data-history-open]");

function showHistory(on) {
  panel.toggleAttribute("data-open", on);
  opener.setAttribute("aria-expanded", String(on));
  (on ? one("a", panel) : opener).focus();
}

panel.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && panel.hasAttribute("data-open")) showHistory(false);
});
document.addEventListener("pointerdown", (event) => {
  if (panel.hasAttribute("data-open") && !panel.contains(event.target)) showHistory(false);
});

function forget(button) {
  const dialog = document.getElementById("forget");
  dialog.returnValue = "no";
  dialog.showModal();
  dialog.addEventListener("close", () => dialog.returnValue === "yes" && forgotten(button), { once: true });
}

async function forgotten(button) {
  try {
    await call("DELETE", `/v1/conversations/${button.dataset.forget}`);
  } catch (error) {
    tell(error);
    return;
  }
  button.closest("li").remove();
  document.getElementById("history-none").hidden = one("#history-list li") !== null;
  if (place.dataset.conversation === button.dataset.forget) location.assign(`/kb/${base}/ask`);
}

// --- coming to the page -----------------------------------------------------------------------------------------------

async function takeUp() {
  for (const turn of all('article.turn[data-state="running"]')) {
    try {
      await settle({ id: turn.dataset.turn, element: turn }, LONG);
    } catch (error) {
      if (error.status === 401) location.assign(signInAddress());
      else tell(error);
    }
  }
}

question.value ||= sessionStorage.getItem(DRAFT) ?? "";
sessionStorage.removeItem(DRAFT);
if (turns.lastElementChild) turns.lastElementChild.scrollIntoView({ block: "start" });
if (matchMedia("(hover: hover)").matches) question.focus();
takeUp();
