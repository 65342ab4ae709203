// One question to the base model and to an adapter, side by side. All that comes is put in as text.
import { call, events, Fault } from "./api.js";
import { fill, one, say, sayCount, stamp } from "./dom.js";

const BASE = "base"; // as the API names the model alone

/** Both answers beside each other; `adapter` is {id, name}. */
export class Comparison {
  constructor(text, adapter) {
    this.element = stamp("live-compared");
    this.element.ariaLabel = text;
    fill(this.element, "question", text);
    this.sides = [new Side(text, BASE, say("compare.base")), new Side(text, adapter.id, adapter.name)];
    one(".compare-sides", this.element).append(...this.sides.map((side) => side.element));
  }

  /** Until both have ended; rejects where the session has. */
  async run(base, signal) {
    await Promise.all(this.sides.map((side) => side.run(base, signal)));
  }

  /** Both answers in one text, for those who listen. */
  spoken() {
    return this.sides.map((side) => `${side.name}: ${side.said}`).join(" ");
  }
}

class Side {
  constructor(text, adapter, name) {
    this.text = text;
    this.adapter = adapter;
    this.name = name;
    this.said = "";
    this.ended = false;
    this.element = stamp("live-side");
    this.element.ariaLabel = name;
    this.answer = one(".answer", this.element);
    this.thinking = one(".thinking", this.element);
    fill(this.element, "name", name);
    fill(this.element, "status", say("searching"));
  }

  async run(base, signal) {
    try {
      const response = await call("POST", `/v1/knowledge-bases/${base}/ask`, {
        json: { question: this.text, adapter: this.adapter, stream: true },
        headers: { Accept: "text/event-stream" },
        signal,
      });
      for await (const { event, data } of events(response)) this.take(event, data);
      if (!this.ended) throw new Fault("offline", say("gone"));
    } catch (error) {
      if (error.status === 401) throw error;
      if (error.name === "AbortError") this.stopped();
      else if (error instanceof Fault) this.fail(error.message);
      else throw error;
    }
  }

  take(event, data) {
    if (event === "sources" && data.hits.length) fill(this.element, "status", sayCount("reading", data.hits.length));
    else if (event === "token") this.token(data.text);
    else if (event === "done") this.done(data);
    else if (event === "error") this.fail(data.message);
  }

  token(text) {
    this.answer.hidden = false;
    this.thinking.hidden = true;
    this.answer.append(text);
  }

  /** Puts the checked answer in the place of what was streamed. */
  done(answer) {
    this.end();
    this.said = answer.text;
    this.answer.hidden = false;
    this.element.dataset.state = answer.refused ? "refused" : "answered";
    const proofs = new Map();
    if (answer.refused) this.answer.replaceChildren(answer.text);
    else this.answer.replaceChildren(...answer.sentences.flatMap((sentence) => shown(sentence, answer.citations, proofs)));
    this.list([...proofs.values()]);
    const { model, withheld, timings } = answer;
    const facts = [say("compare.seconds", { seconds: timings.total.toFixed(1) })];
    if (model) facts.unshift(model);
    if (withheld.length) facts.push(sayCount("compare.withheld", withheld.length));
    if (answer.degraded) facts.push(answer.degraded);
    fill(this.element, "facts", facts.join(" · "));
  }

  list(proofs) {
    const list = one(".compare-sources", this.element);
    for (const proof of proofs) {
      const card = stamp("live-source");
      const number = document.createElement("span");
      number.className = "source-number";
      number.textContent = proof.number;
      one(".source-head", card).prepend(number);
      fill(card, "name", proof.document_name);
      fill(card, "page", say("page", { n: proof.page }));
      fill(card, "text", proof.quote);
      const button = one("button", card);
      button.classList.add("cited");
      leadTo(button, proof);
      list.append(card);
    }
    list.hidden = !proofs.length;
  }

  stopped() {
    this.end();
    fill(this.element, "facts", say("compare.stopped"));
  }

  fail(words) {
    this.end();
    this.said = words;
    const box = stamp("live-error");
    fill(box, "text", words);
    this.element.append(box);
    this.element.dataset.state = "failed";
  }

  end() {
    this.ended = true;
    this.thinking.hidden = true;
    this.answer.classList.remove("streaming");
    this.answer.ariaBusy = "false";
  }
}

/** A sentence with the numbers of its proofs, of which `proofs` takes in those that are new. */
function shown({ text, citations }, known, proofs) {
  const numbers = new Set();
  for (const citation of citations.map((one) => whole(one, known))) {
    const key = [citation.document_id, citation.page, citation.quote].join("\0");
    if (!proofs.has(key)) proofs.set(key, { ...citation, number: proofs.size + 1 });
    numbers.add(proofs.get(key));
  }
  const chips = [...numbers].map(chip);
  const sentence = document.createElement("span");
  sentence.className = "sentence";
  sentence.append(...text.split(/\*\*(.+?)\*\*/).map((part, place) => (place % 2 ? strong(part) : part)));
  return [sentence, ...chips, " "];
}

/** The longest quote on the same page that this one is a part of. */
function whole(part, known) {
  const holds = (other) => other.document_id === part.document_id && other.page === part.page && other.quote.includes(part.quote);
  return known.filter(holds).reduce((best, other) => (other.quote.length > best.quote.length ? other : best), part);
}

function strong(text) {
  const made = document.createElement("strong");
  made.textContent = text;
  return made;
}

function chip(proof) {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "chip";
  button.dataset.testid = "citation";
  button.textContent = proof.number;
  button.ariaLabel = say("citation", { n: proof.number, name: proof.document_name, page: proof.page });
  leadTo(button, proof);
  return button;
}

/** Has a button open the page with the quoted words. */
function leadTo(button, proof) {
  Object.assign(button.dataset, {
    view: "",
    document: proof.document_id,
    name: proof.document_name,
    page: proof.page,
    quote: proof.quote,
    chunk: proof.chunk_id,
  });
}
