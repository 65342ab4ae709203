// Calls of the API with the session's cookie; every fault becomes a Fault with a sentence for people.
import { say, toast } from "./dom.js";

/** What went wrong: `code` as the API names it ("offline" where nothing answered), `message` for people. */
export class Fault extends Error {
  constructor(code, message, status = 0) {
    super(message);
    this.code = code;
    this.status = status;
  }
}

export function signInAddress() {
  return `/sign-in?next=${encodeURIComponent(location.pathname + location.search)}`;
}

/** Where a document is in the API. */
export function documentAddress(base, id) {
  return `/v1/knowledge-bases/${encodeURIComponent(base)}/documents/${encodeURIComponent(id)}`;
}

/** The response of a call; raises Fault. `options.json` is sent as a JSON body. */
export async function call(method, address, options = {}) {
  const { json, signal, headers = {}, body } = options;
  const sent = { method, signal, headers: { Accept: "application/json", ...headers }, credentials: "same-origin" };
  if (json !== undefined) {
    sent.headers["Content-Type"] = "application/json";
    sent.body = JSON.stringify(json);
  } else if (body !== undefined) {
    sent.body = body;
  }
  sent.headers["Accept-Language"] = document.documentElement.lang;
  let response;
  try {
    response = await fetch(address, sent);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Fault("offline", say("offline"));
  }
  if (!response.ok) throw await faultOf(response);
  return response;
}

/** The JSON of a call. */
export async function get(address, options = {}) {
  return (await call("GET", address, options)).json();
}

/** A page or fragment of ours, as a document; raises Fault, also where the session has ended. */
export async function page(address, options = {}) {
  const response = await call("GET", address, { ...options, headers: { Accept: "text/html" } });
  if (response.redirected && new URL(response.url).pathname === "/sign-in") {
    throw new Fault("key_missing", say("signed_out"), 401);
  }
  return new DOMParser().parseFromString(await response.text(), "text/html");
}

async function faultOf(response) {
  try {
    const problem = await response.json();
    return new Fault(problem.code, response.status === 401 ? say("signed_out") : problem.title, response.status);
  } catch {
    return new Fault("failed", say(response.status === 401 ? "signed_out" : "failed"), response.status);
  }
}

/** Tells the reader of a fault; pressing stop is none, and where the session has ended one is led to sign in. */
export function tell(error) {
  if (error.name === "AbortError") return;
  if (error.status === 401) {
    location.assign(signInAddress());
  } else if (error instanceof Fault) {
    toast(error.message);
  } else {
    console.error(error);
    toast(say("failed"));
  }
}

/** The server-sent events of a response, as {event, data}; raises Fault where the connection is lost. */
export async function* events(response) {
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  try {
    while (true) {
      const { done, value } = await reader.read();
      if (done) return;
      rest += value;
      const parts = rest.split(/\r?\n\r?\n/);
      rest = parts.pop();
      for (const part of parts) {
        const found = parsedEvent(part);
        if (found) yield found;
      }
    }
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Fault("offline", say("offline"));
  } finally {
    reader.cancel().catch(() => {});
  }
}

function parsedEvent(text) {
  let event = "message";
  const data = [];
  for (const line of text.split(/\r?\n/)) {
    if (line.startsWith("event:")) event = line.slice(6).trim();
    else if (line.startsWith("data:")) data.push(line.slice(line[5] === " " ? 6 : 5));
  }
  return data.length ? { event, data: JSON.parse(data.join("\n")) } : null;
}

/** Watches an address of events that goes on for long; a lost connection is taken up again. Returns a way to end it. */
export function watch(address, name, told, lost = () => {}) {
  const source = new EventSource(address);
  source.addEventListener(name, (event) => told(JSON.parse(event.data)));
  source.addEventListener("error", () => lost(source.readyState === EventSource.CLOSED));
  addEventListener("pagehide", () => source.close(), { once: true });
  return () => source.close();
}
