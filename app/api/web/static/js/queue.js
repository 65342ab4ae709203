// Files that wait to be sent, kept in this browser so that a reload goes on with them.

const STORE = "files";

function done(request) {
  return new Promise((resolve, reject) => {
    request.addEventListener("success", () => resolve(request.result));
    request.addEventListener("error", () => reject(request.error));
  });
}

async function opened() {
  const request = indexedDB.open("manualqa-uploads", 1);
  request.addEventListener("upgradeneeded", () => {
    request.result.createObjectStore(STORE, { keyPath: "id", autoIncrement: true }).createIndex("base", "base");
  });
  return done(request);
}

/** The files of one knowledge base; where the browser keeps nothing (a private window), they live with the page. */
export class Queue {
  #database = null;
  #base;
  #own = 0;

  constructor(base) {
    this.#base = base;
  }

  /** Opens it. */
  async open() {
    this.#database = await opened().catch(() => null);
  }

  /** The entries that are there, in order. */
  async entries() {
    if (!this.#database) return [];
    try {
      return await done(this.#store("readonly").index("base").getAll(this.#base));
    } catch {
      return [];
    }
  }

  /** Keeps a new entry; gives it its id. */
  async add(entry) {
    entry.base = this.#base;
    try {
      if (this.#database) {
        entry.id = await done(this.#store("readwrite").add({ ...entry }));
        return;
      }
    } catch {
      // no room: the page keeps it
    }
    entry.id = `own-${++this.#own}`;
  }

  async put(entry) {
    if (!this.#keeps(entry)) return;
    await done(this.#store("readwrite").put({ ...entry })).catch(() => {});
  }

  async remove(entry) {
    if (!this.#keeps(entry)) return;
    await done(this.#store("readwrite").delete(entry.id)).catch(() => {});
  }

  #keeps(entry) {
    return this.#database !== null && typeof entry.id === "number";
  }

  #store(mode) {
    return this.#database.transaction(STORE, mode).objectStore(STORE);
  }
}

/** Runs `work` once no other tab of this browser goes on with the same queue; this one keeps the right until it closes. */
export async function alone(base, work) {
  if (!navigator.locks) return work(); // without https; two tabs may then send the same file, which is one document
  return navigator.locks.request(`manualqa-uploads-${base}`, async () => {
    await work();
    return new Promise(() => {});
  });
}
