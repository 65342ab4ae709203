// One document: its pages with the chunks drawn on them.
import { Fault, call, documentAddress, get, page as pageOf, tell, watch } from "./api.js";
import { boxAt, fill, one, say, showImage, stamp } from "./dom.js";
import { askToDelete } from "./deleting.js";
import { line, share, show } from "./progress.js";

const place = document.getElementById("document");
const { base, document: id, name } = place.dataset;
const pages = Number(place.dataset.pages) || 0;
const address = documentAddress(base, id);
const sheet = document.getElementById("sheet");
const image = document.getElementById("image");
const boxes = document.getElementById("boxes");
const text = document.getElementById("text");
const note = document.getElementById("note");
const list = document.getElementById("chunk-list");

let number = Number(place.dataset.number);
let turn = 0;

// --- a page -----------------------------------------------------------------------------------------------------------

async function load() {
  const mine = ++turn;
  controls();
  note.textContent = say("page_loading");
  note.hidden = false;
  try {
    const found = await get(`${address}/pages/${number}`);
    if (mine !== turn) return;
    listed(found);
    if (found.kind === "image") await drawn(mine, found);
    else written(found);
  } catch (error) {
    if (mine !== turn) return;
    sheet.hidden = text.hidden = true;
    note.textContent = error instanceof Fault ? error.message : say("page_failed");
    if (!(error instanceof Fault) || error.status === 401) tell(error);
  }
}

async function drawn(mine, found) {
  const places = get(`${address}/pages/${number}/chunks`);
  image.alt = say("page_image", { n: number, name });
  sheet.style.aspectRatio = `${found.width} / ${found.height}`;
  const width = devicePixelRatio > 1.3 || innerWidth > 1500 ? 1600 : 1200;
  const there = await showImage(image, `${address}/pages/${number}/image?width=${width}&v=${id}`);
  places.catch(() => {}); // told below, where the page is still wanted
  if (mine !== turn) return;
  if (!there) {
    note.textContent = say("page_failed");
    return;
  }
  note.hidden = true;
  text.hidden = true;
  sheet.hidden = false;
  boxes.replaceChildren();
  const { chunks } = await places;
  if (mine === turn) boxes.replaceChildren(...chunks.flatMap(boxesOf));
}

/** The boxes of one chunk: one around its lines, or one a line where they do not stand together. */
function boxesOf(chunk) {
  return blocks(chunk.boxes).map((block, at) => {
    const box = boxAt(block, "chunk-box");
    box.dataset.testid = "chunk";
    box.dataset.chunk = chunk.id;
    box.classList.toggle("odd", chunk.ordinal % 2 === 1);
    box.addEventListener("click", () => choose(chunk.id, { scroll: true }));
    if (at === 0) {
      const label = document.createElement("span");
      label.textContent = String(chunk.ordinal + 1);
      box.append(label);
    }
    return box;
  });
}

const GAP = 0.03; // of the page's height: lines nearer than that are one block

/** Lines of text that stand beside or below each other, joined to blocks; a new column begins a new block. */
function blocks(lines) {
  const found = [];
  let row = null; // the line before
  for (const line of lines) {
    const [left, top, right, bottom] = line;
    const last = found.at(-1);
    const beside = row && top < row[3] && bottom > row[1];
    const below = row && top >= row[1] && top - last[3] < GAP;
    if (beside || below) {
      found[found.length - 1] = [
        Math.min(last[0], left),
        Math.min(last[1], top),
        Math.max(last[2], right),
        Math.max(last[3], bottom),
      ];
    } else {
      found.push([...line]);
    }
    row = line;
  }
  return found.reduce(joined, []);
}

/** The blocks with one more: it becomes one with those that it touches. */
function joined(blocks, block) {
  const touching = blocks.filter((one) => one[0] < block[2] && one[2] > block[0] && one[1] < block[3] && one[3] > block[1]);
  if (!touching.length) return [...blocks, block];
  const all = [...touching, block];
  const union = [0, 1, 2, 3].map((side) => (side < 2 ? Math.min : Math.max)(...all.map((one) => one[side])));
  return joined(blocks.filter((one) => !touching.includes(one)), union);
}

/** A page without an image: its text, with what belongs to each chunk. */
function written(found) {
  note.hidden = true;
  sheet.hidden = true;
  text.hidden = false;
  const letters = [...found.text];
  text.replaceChildren();
  let at = 0;
  for (const chunk of found.chunks) {
    const start = Math.max(at, chunk.start); // chunks overlap; the words of both stand in the first
    if (chunk.end <= start) continue;
    text.append(letters.slice(at, start).join(""));
    const part = document.createElement("span");
    part.className = chunk.ordinal % 2 ? "text-chunk odd" : "text-chunk";
    part.dataset.testid = "chunk";
    part.dataset.chunk = chunk.id;
    part.textContent = letters.slice(start, chunk.end).join("");
    part.addEventListener("click", () => choose(chunk.id, { scroll: true }));
    text.append(part);
    at = chunk.end;
  }
  text.append(letters.slice(at).join(""));
}

// --- chunks -----------------------------------------------------------------------------------------------------------

function listed(found) {
  const letters = [...found.text];
  list.replaceChildren(
    ...found.chunks.map((chunk) => {
      const item = stamp("chunk-row");
      fill(item, "number", say("chunk", { n: chunk.ordinal + 1 }));
      fill(item, "text", letters.slice(chunk.start, chunk.end).join("").trim());
      const button = one("button", item);
      button.dataset.chunk = chunk.id;
      button.addEventListener("click", () => choose(chunk.id));
      return item;
    }),
  );
  document.getElementById("chunks-none").hidden = found.chunks.length > 0;
}

function choose(chunk, { scroll = false } = {}) {
  let chosen = null;
  for (const button of list.querySelectorAll("button")) {
    const on = button.dataset.chunk === chunk && button.ariaPressed !== "true";
    button.ariaPressed = String(on);
    if (on) chosen = button;
  }
  for (const box of [...boxes.children, ...text.querySelectorAll("[data-chunk]")]) {
    box.classList.toggle("chosen", chosen !== null && box.dataset.chunk === chunk);
  }
  if (scroll) chosen?.scrollIntoView({ block: "nearest" });
}

// --- moving about -----------------------------------------------------------------------------------------------------

function controls() {
  document.getElementById("jump").elements.page.value = number;
  point("previous", number - 1);
  point("next", number + 1);
}

function point(link, to) {
  const element = document.getElementById(link);
  if (to < 1 || to > pages) element.removeAttribute("href");
  else element.href = `?page=${to}`;
}

function go(to) {
  if (!(to >= 1 && to <= pages) || to === number) return controls();
  number = to;
  history.replaceState(null, "", `?page=${to}`);
  return load();
}

if (pages) {
  document.getElementById("previous").addEventListener("click", (event) => {
    event.preventDefault();
    go(number - 1);
  });
  document.getElementById("next").addEventListener("click", (event) => {
    event.preventDefault();
    go(number + 1);
  });
  document.getElementById("jump").addEventListener("submit", (event) => {
    event.preventDefault();
    go(Number(event.target.elements.page.value));
  });
  document.getElementById("jump").addEventListener("change", (event) => go(Number(event.target.value)));
  document.addEventListener("keydown", (event) => {
    if (event.target.matches("input, textarea, select") || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "ArrowLeft") go(number - 1);
    if (event.key === "ArrowRight") go(number + 1);
  });
  document.getElementById("show-chunks").addEventListener("change", (event) => {
    one(".reader").toggleAttribute("data-plain", !event.target.checked);
  });
  load();
}

// --- the document as a whole ------------------------------------------------------------------------------------------

document.addEventListener("click", async (event) => {
  const button = event.target.closest("button");
  if (button?.dataset.delete !== undefined) {
    askToDelete(base, id, name, () => location.assign(`/kb/${base}/documents`));
  } else if (button?.dataset.retry !== undefined && place.dataset.job) {
    try {
      await call("POST", `/v1/jobs/${place.dataset.job}/retry`);
      location.reload();
    } catch (error) {
      tell(error);
    }
  }
});

const waiting = document.getElementById("progressing");
if (waiting && place.dataset.job) {
  const bar = one("progress", waiting);
  bar.ariaLabel = name;
  watch(`/v1/jobs/${place.dataset.job}/events`, "job", async (job) => {
    show(bar, share(job));
    fill(waiting, "progress", line(job));
    if (job.ended_at === null) return;
    try {
      await pageOf(location.href);
      location.reload();
    } catch (error) {
      tell(error);
    }
  });
}
