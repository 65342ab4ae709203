// Sending files: three at a time, each with its progress from the first byte to "ready", through reloads.
import { get, call, signInAddress, tell } from "./api.js";
import { fill, one, say, sayCount, size, stamp } from "./dom.js";
import { line, share, show } from "./progress.js";
import { alone, Queue } from "./queue.js";

const AT_ONCE = 3;
const ENDED = ["ready", "failed", "cancelled", "duplicate"];
const AGAIN_MS = 3000;
const MOST_LOSSES = 20; // tries of one file before it needs a person: a minute without a server

/**
 * The files of one page. An entry is {id, name, size, file, state, note, job, document}; its states are waiting, sending,
 * working (the server has it), and those of ENDED.
 */
export class Uploads {
  #place;
  #base;
  #queue;
  #entries = new Map(); // id -> {entry, row, request}
  #changed;
  #opened = null;
  #held = false; // nothing is sent while the session has ended

  constructor(place, changed) {
    this.#place = place;
    this.#base = place.dataset.base;
    this.#queue = new Queue(this.#base);
    this.#changed = changed;
    document.getElementById("uploads-clear").addEventListener("click", () => this.#clear());
    addEventListener("online", () => this.#resume());
  }

  /** Goes on with what an earlier visit left. */
  async start() {
    this.#opened = this.#queue.open();
    await this.#opened;
    await alone(this.#base, async () => {
      for (const entry of await this.#queue.entries()) {
        if (this.#entries.has(entry.id)) continue;
        if (entry.state === "ready" || entry.state === "duplicate") this.#queue.remove(entry);
        else this.#show(entry.state === "sending" ? { ...entry, state: "waiting" } : entry);
      }
      await Promise.all([...this.#entries.values()].filter(({ entry }) => entry.state === "working").map((item) => this.#look(item)));
      this.#send();
    });
  }

  /** Takes new files: [File, path] pairs. */
  async add(files) {
    await this.#opened;
    for (const [file, path] of files) {
      const entry = { name: path, size: file.size, file, state: "waiting", note: "", job: null, document: null };
      const fault = this.#faultOf(file);
      if (fault) Object.assign(entry, { state: "failed", note: fault, file: null, final: true });
      await this.#queue.add(entry);
      this.#show(entry);
    }
    this.#send();
  }

  #faultOf(file) {
    const endings = this.#place.dataset.endings.split(" ");
    const ending = /\.[^.]*$/.exec(file.name)?.[0].toLowerCase() ?? "";
    if (!endings.includes(ending)) return say("upload.type", { endings: endings.join(" ") });
    if (file.size === 0) return say("upload.empty");
    const most = Number(this.#place.dataset.mostMb);
    return file.size > most * 1e6 ? say("upload.large", { mb: most }) : null;
  }

  /** What the server tells of a job. */
  take(job) {
    for (const item of this.#entries.values()) {
      if (item.entry.job === job.id && item.entry.state === "working") this.#follow(item, job);
    }
  }

  // --- rows -------------------------------------------------------------------------------------------------------

  #show(entry) {
    const row = stamp("upload-row");
    fill(row, "name", entry.name).title = entry.name;
    fill(row, "size", size(entry.size));
    const item = { entry, row, request: null };
    one('[data-do="retry"]', row).addEventListener("click", () => this.#retry(item));
    one('[data-do="cancel"]', row).addEventListener("click", () => this.#cancel(item));
    one('[data-do="retry"]', row).ariaLabel = say("upload.retry", { name: entry.name });
    this.#entries.set(entry.id, item);
    document.getElementById("upload-list").append(row);
    this.#draw(item);
  }

  #set(item, state, note = "", more = {}) {
    Object.assign(item.entry, { state, note }, more);
    if (["ready", "duplicate"].includes(state)) item.entry.file = null;
    this.#queue.put(item.entry);
    this.#draw(item);
    if (ENDED.includes(state)) this.#send();
  }

  #draw({ entry, row }, part = null, words = null) {
    row.dataset.state = entry.state;
    row.toggleAttribute("data-final", Boolean(entry.final));
    const usual = { waiting: say("upload.waiting"), working: say("upload.taken"), cancelled: say("upload.cancelled") };
    fill(row, "status", words ?? (entry.note || usual[entry.state] || ""));
    if (entry.state === "waiting") show(one("progress", row), 0);
    else show(one("progress", row), part);
    one("progress", row).ariaLabel = entry.name;
    one('[data-do="cancel"]', row).ariaLabel = say(ENDED.includes(entry.state) ? "upload.remove" : "upload.cancel", { name: entry.name });
    this.#sum();
  }

  #sum() {
    const all = [...this.#entries.values()];
    const ended = all.filter(({ entry }) => ENDED.includes(entry.state)).length;
    document.getElementById("uploads").hidden = all.length === 0;
    document.getElementById("uploads-clear").hidden = ended === 0;
    const bar = document.getElementById("uploads-all");
    bar.value = all.length ? ended / all.length : 0;
    bar.classList.toggle("done", ended === all.length);
    const failed = all.filter(({ entry }) => entry.state === "failed").length;
    const words = say(failed ? "upload.sum_failed" : "upload.sum", { ended, failed, total: all.length });
    const place = document.getElementById("uploads-sum");
    if (place.textContent !== words) place.textContent = words;
  }

  #forget(item) {
    this.#queue.remove(item.entry);
    this.#entries.delete(item.entry.id);
    item.row.remove();
    this.#sum();
  }

  #clear() {
    for (const item of [...this.#entries.values()]) if (ENDED.includes(item.entry.state)) this.#forget(item);
  }

  // --- sending ----------------------------------------------------------------------------------------------------

  #send() {
    if (this.#held) return;
    const all = [...this.#entries.values()];
    let free = AT_ONCE - all.filter(({ entry }) => entry.state === "sending").length;
    for (const item of all) {
      if (free <= 0) return;
      if (item.entry.state === "waiting" && !item.request) {
        free--;
        this.#put(item);
      }
    }
  }

  async #put(item) {
    const { entry } = item;
    entry.state = "sending";
    this.#draw(item, 0, say("upload.sending", { share: 0 }));
    try {
      await entry.file.slice(0, 1).arrayBuffer(); // a file that was moved or changed since cannot be read any more
    } catch {
      this.#set(item, "failed", say("upload.vanished"), { final: true, file: null });
      return;
    }
    if (entry.state !== "sending") return;
    const request = new XMLHttpRequest();
    item.request = request;
    request.open("POST", `/v1/knowledge-bases/${this.#base}/documents?name=${encodeURIComponent(entry.name)}`);
    request.responseType = "json";
    request.setRequestHeader("Accept-Language", document.documentElement.lang);
    request.setRequestHeader("Content-Type", "application/octet-stream");
    request.upload.addEventListener("progress", (event) => {
      if (entry.state !== "sending" || !event.lengthComputable) return;
      const part = event.loaded / event.total;
      this.#draw(item, part, part < 1 ? say("upload.sending", { share: Math.floor(part * 100) }) : say("upload.taken"));
    });
    request.addEventListener("load", () => this.#answered(item, request));
    request.addEventListener("error", () => this.#lost(item));
    request.send(entry.file);
  }

  #answered(item, request) {
    item.request = null;
    const answer = request.response ?? {};
    if (request.status === 401) {
      this.#held = true;
      this.#set(item, "waiting");
      location.assign(signInAddress());
    } else if (request.status === 503 || request.status === 429) {
      this.#lost(item, answer.title);
    } else if (request.status >= 300) {
      this.#set(item, "failed", answer.title ?? say("failed"));
    } else if (!answer.created && (answer.job.ended_at !== null || this.#isWorkedOn(answer.job.id))) {
      this.#set(item, "duplicate", say("upload.duplicate", { name: answer.document.name }));
    } else {
      this.#set(item, "working", "", { job: answer.job.id, document: answer.document.id });
      this.#changed();
      this.#look(item); // small files may be ready before the stream of jobs tells of them
    }
    this.#send();
  }

  #isWorkedOn(job) {
    return [...this.#entries.values()].some(({ entry }) => entry.job === job);
  }

  #lost(item, why = say("upload.lost")) {
    item.request = null;
    item.losses = (item.losses ?? 0) + 1;
    if (item.losses >= MOST_LOSSES) {
      item.losses = 0;
      this.#set(item, "failed", why);
      return;
    }
    this.#set(item, "waiting", why);
    this.#held = true;
    setTimeout(() => this.#resume(), AGAIN_MS);
  }

  #resume() {
    this.#held = false;
    this.#send();
  }

  // --- what the server does with it -----------------------------------------------------------------------------------

  async #look(item) {
    try {
      this.#follow(item, await get(`/v1/jobs/${item.entry.job}`));
    } catch (error) {
      // replaced by a newer version or deleted meanwhile
      if (error.status === 404) this.#forget(item);
      else if (error.code !== "offline") tell(error);
    }
  }

  #follow(item, job) {
    if (item.entry.state !== "working") return;
    if (job.ended_at === null) this.#draw(item, share(job), line(job));
    else if (job.state === "failed") this.#set(item, "failed", job.error?.message ?? say("failed"));
    else if (job.state === "cancelled") this.#set(item, "cancelled");
    else this.#set(item, "ready", sayCount("upload.done", job.pages_total ?? job.pages_done));
  }

  async #cancel(item) {
    const { entry } = item;
    if (ENDED.includes(entry.state)) {
      this.#forget(item);
    } else if (entry.state === "working") {
      try {
        await call("POST", `/v1/jobs/${entry.job}/cancel`);
        await this.#look(item);
      } catch (error) {
        if (error.code === "job_ended") await this.#look(item);
        else tell(error);
      }
    } else {
      const request = item.request;
      item.request = null;
      this.#set(item, "cancelled");
      request?.abort();
    }
  }

  async #retry(item) {
    const { entry } = item;
    if (entry.job === null) {
      this.#set(item, "waiting");
      this.#send();
      return;
    }
    try {
      const job = await (await call("POST", `/v1/jobs/${entry.job}/retry`)).json();
      this.#set(item, "working", "", { job: job.id });
      this.#changed();
    } catch (error) {
      tell(error);
    }
  }
}

/** The files that were dropped, those in folders too, as [File, path] pairs. */
export async function dropped(transfer) {
  const entries = [...transfer.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
  if (!entries.length) return named([...transfer.files]);
  const found = [];
  for (const entry of entries) await walk(entry, found);
  return named(found);
}

/** Files with the names that they get; two of the same name are told apart by their folders. */
export function named(files) {
  const times = new Map();
  for (const file of files) times.set(file.name, (times.get(file.name) ?? 0) + 1);
  return files.map((file) => {
    const path = file.path ?? file.webkitRelativePath;
    return [file, times.get(file.name) > 1 && path ? path.replaceAll("/", " – ") : file.name];
  });
}

async function walk(entry, found) {
  if (entry.name.startsWith(".") || entry.name.startsWith("~$")) return;
  if (entry.isFile) {
    const file = await new Promise((resolve, reject) => entry.file(resolve, reject));
    file.path = entry.fullPath.replace(/^\//, "");
    found.push(file);
    return;
  }
  const reader = entry.createReader();
  while (true) {
    const some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
    if (!some.length) return;
    for (const inner of some) await walk(inner, found);
  }
}
