// The page of a manual with the quoted words boxed; any element with data-view opens it.
import { Fault, call, documentAddress, get } from "./api.js";
import { all, boxAt, one, say, showImage } from "./dom.js";

const dialog = document.getElementById("viewer");
const sheet = document.getElementById("viewer-sheet");
const image = document.getElementById("viewer-image");
const boxes = document.getElementById("viewer-boxes");
const text = document.getElementById("viewer-text");
const note = document.getElementById("viewer-note");
const quoted = document.getElementById("viewer-quote");
const area = document.getElementById("viewer-page");

const WIDTHS = [800, 1200, 1600];
const ZOOMS = [1, 1.25, 1.5, 2, 2.5, 3];
const MARGIN = 40;

let shown = null; // {document, name, page, quote, chunk, at, pages, width, height}
let turn = 0; // the newest wish; answers to older ones are dropped
let zoom = 0;

/** Opens the page of a proof: {document, name, page, quote?, chunk?}. */
export function open(proof) {
  shown = { ...proof, at: proof.page, pages: proof.page };
  zoom = 0;
  one("#viewer-name").textContent = proof.name;
  quoted.textContent = proof.quote ?? "";
  quoted.hidden = !proof.quote;
  if (!dialog.open) dialog.showModal();
  area.focus();
  return load();
}

async function load() {
  const mine = ++turn;
  const wanted = shown;
  const address = `${documentAddress(dialog.dataset.base, wanted.document)}/pages/${wanted.at}`;
  one("#viewer-open").href = `/kb/${dialog.dataset.base}/documents/${wanted.document}?page=${wanted.at}`;
  boxes.replaceChildren();
  tellNote(say("page_loading"));
  sheet.hidden = text.hidden = true;
  try {
    const page = await get(address);
    if (mine !== turn) return;
    Object.assign(wanted, { pages: page.pages ?? wanted.at, width: page.width, height: page.height });
    tellPlace();
    if (page.kind === "image") await showPage(mine, wanted, address, page);
    else showText(wanted, page);
  } catch (error) {
    if (mine === turn) tellNote(error instanceof Fault ? error.message : say("page_failed"));
    if (!(error instanceof Fault)) throw error;
  }
}

function tellPlace() {
  one("#viewer-place").textContent = say("page_of", { n: shown.at, pages: shown.pages });
  one('[data-do="previous"]', dialog).disabled = shown.at <= 1;
  one('[data-do="next"]', dialog).disabled = shown.at >= shown.pages;
}

function tellNote(words) {
  note.textContent = words;
  note.hidden = !words;
}

async function showPage(mine, wanted, address, page) {
  layOut();
  const found = boxesOf(wanted, address, page);
  image.alt = say("page_image", { n: wanted.at, name: wanted.name });
  const there = await showImage(image, imageAddress(wanted, address));
  if (mine !== turn) return;
  if (!there) {
    tellNote(say("page_failed"));
    return;
  }
  tellNote("");
  sheet.hidden = false;
  layOut();
  const places = await found;
  if (mine !== turn) return;
  draw(places);
}

function imageAddress(wanted, address) {
  const needed = Math.max(sheetWidth(), 1) * devicePixelRatio;
  const width = WIDTHS.find((candidate) => candidate >= needed) ?? WIDTHS.at(-1);
  return `${address}/image?width=${width}&v=${encodeURIComponent(wanted.document)}`;
}

/** The boxes of the proof on this page; none on another page than its own. */
async function boxesOf(wanted, address, page) {
  if (wanted.at !== wanted.page && !wanted.chunk) return null;
  try {
    if (wanted.quote && wanted.at === wanted.page) {
      const found = await (await call("POST", `${address}/boxes`, { json: asked(wanted) })).json();
      return found.boxes;
    }
    if (wanted.chunk && page.chunks.some((chunk) => chunk.id === wanted.chunk)) {
      const { chunks } = await get(`${address}/chunks`);
      return chunks.find((chunk) => chunk.id === wanted.chunk)?.boxes ?? null;
    }
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
    return [];
  }
  return null;
}

const MOST_QUOTE = 5000;

function asked(wanted) {
  const quote = wanted.quote.slice(0, MOST_QUOTE);
  return wanted.chunk ? { quote, chunk_id: wanted.chunk } : { quote };
}

function draw(places) {
  boxes.replaceChildren();
  if (places === null) return;
  if (!places.length) {
    if (shown.quote) one("#viewer-place").textContent += ` · ${say("quote_unmarked")}`;
    return;
  }
  for (const place of places) boxes.append(boxAt(place, "viewer-box"));
  one("#viewer-place").textContent += ` · ${say("quote_marked")}`;
  boxes.firstElementChild.scrollIntoView({ block: "center", inline: "center" });
}

/** The width of the sheet: the whole page is seen on a large screen, its whole width on a phone; then times the zoom. */
function sheetWidth() {
  const ratio = shown.width && shown.height ? shown.height / shown.width : 1.414;
  const room = Math.max(area.clientWidth - Math.min(MARGIN, area.clientWidth * 0.06), 100);
  const fits = Math.min(room, Math.max((area.clientHeight - MARGIN) / ratio, Math.min(room, 560)));
  return Math.round(fits * ZOOMS[zoom]);
}

function layOut() {
  const ratio = shown.width && shown.height ? shown.height / shown.width : 1.414;
  const width = sheetWidth();
  sheet.style.width = `${width}px`;
  sheet.style.height = `${Math.round(width * ratio)}px`;
  one('[data-do="out"]', dialog).disabled = zoom === 0;
  one('[data-do="in"]', dialog).disabled = zoom === ZOOMS.length - 1;
}

function showText(wanted, page) {
  tellNote("");
  text.hidden = false;
  const quote = wanted.quote && wanted.at === wanted.page ? placeOf(page.text, wanted.quote) : null;
  const chunk = page.chunks.find((candidate) => candidate.id === wanted.chunk);
  const place = quote ?? (chunk ? [chunk.start, chunk.end] : null);
  if (!place) {
    text.textContent = page.text;
    return;
  }
  const mark = document.createElement("mark");
  mark.dataset.testid = "viewer-box";
  const letters = [...page.text];
  mark.textContent = letters.slice(place[0], place[1]).join("");
  text.replaceChildren(letters.slice(0, place[0]).join(""), mark, letters.slice(place[1]).join(""));
  mark.scrollIntoView({ block: "center" });
}

/** Where a quote stands in a text, in characters, whatever the white space; null where it does not. */
function placeOf(whole, quote) {
  const letters = [...whole];
  const kept = letters.map((letter, at) => [letter, at]).filter(([letter]) => letter.trim());
  const wanted = [...quote].filter((letter) => letter.trim());
  if (!wanted.length) return null;
  for (let start = 0; start + wanted.length <= kept.length; start++) {
    if (wanted.every((letter, at) => kept[start + at][0] === letter)) {
      return [kept[start][1], kept[start + wanted.length - 1][1] + 1];
    }
  }
  return null;
}

function go(step) {
  const next = shown.at + step;
  if (next < 1 || next > shown.pages) return;
  shown.at = next;
  load();
  area.scrollTo(0, 0);
}

function scale(step) {
  const next = zoom + step;
  if (next < 0 || next >= ZOOMS.length || sheet.hidden) return;
  const middle = (area.scrollTop + area.clientHeight / 2) / Math.max(area.scrollHeight, 1);
  zoom = next;
  layOut();
  area.scrollTop = middle * area.scrollHeight - area.clientHeight / 2;
  area.scrollLeft = (area.scrollWidth - area.clientWidth) / 2;
  const address = `${documentAddress(dialog.dataset.base, shown.document)}/pages/${shown.at}`;
  const sharper = imageAddress(shown, address);
  if (!image.src.endsWith(sharper) && Number(/width=(\d+)/.exec(image.src)?.[1]) < Number(/width=(\d+)/.exec(sharper)[1])) {
    image.src = sharper;
  }
}

const doings = { previous: () => go(-1), next: () => go(1), in: () => scale(1), out: () => scale(-1), close: () => dialog.close() };

if (dialog) {
  for (const button of all("[data-do]", dialog)) button.addEventListener("click", doings[button.dataset.do]);
  dialog.addEventListener("click", (event) => {
    if (event.target === dialog) dialog.close();
  });
  dialog.addEventListener("close", () => {
    turn++;
    image.removeAttribute("src");
  });
  document.addEventListener("keydown", (event) => {
    if (!dialog.open || event.ctrlKey || event.metaKey || event.altKey) return;
    const doing = { ArrowLeft: "previous", PageUp: "previous", ArrowRight: "next", PageDown: "next", "+": "in", "=": "in", "-": "out" }[event.key];
    if (!doing || (zoom > 0 && event.key.startsWith("Arrow"))) return;
    event.preventDefault();
    doings[doing]();
  });
  addEventListener("resize", () => {
    if (dialog.open && !sheet.hidden) layOut();
  });
}

document.addEventListener("click", (event) => {
  const from = event.target.closest("[data-view]");
  if (!from || !dialog) return;
  const { document: id, name, page, quote, chunk } = from.dataset;
  open({ document: id, name, page: Number(page), quote, chunk });
});
