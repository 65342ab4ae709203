// Small pieces for all pages: words, templates, toasts, moments. Text is only ever set as text.

const texts = JSON.parse(document.getElementById("words")?.textContent ?? "{}");
export const language = document.documentElement.lang.startsWith("zh") ? "zh" : "en";
const locale = language === "zh" ? "zh-CN" : "en-GB";

/** The text of a key, with values in its braces. */
export function say(key, values = {}) {
  return (texts[key] ?? key).replace(/\{(\w+)\}/g, (whole, name) => (name in values ? String(values[name]) : whole));
}

/** The text of a key for a count. */
export function sayCount(key, n, values = {}) {
  return say(`${key}.${n === 1 ? "one" : "other"}`, { n: number(n), ...values });
}

export function number(n) {
  return n.toLocaleString(locale);
}

/** The first element that matches, or null. */
export function one(selector, within = document) {
  return within.querySelector(selector);
}

/** All elements that match, as an array. */
export function all(selector, within = document) {
  return [...within.querySelectorAll(selector)];
}

/** A copy of the first element of a <template>. */
export function stamp(id) {
  return document.getElementById(id).content.firstElementChild.cloneNode(true);
}

/** Sets the text of the child that carries data-slot=name; returns the child. */
export function fill(element, name, text) {
  const slot = element.querySelector(`[data-slot="${name}"]`);
  slot.textContent = text;
  return slot;
}

/** Shows every <time data-moment> in the reader's own time zone. */
export function moments(within) {
  const format = new Intl.DateTimeFormat(locale, { dateStyle: "medium", timeStyle: "short" });
  for (const element of all("time[data-moment]", within)) {
    const when = new Date(element.dateTime);
    if (!Number.isNaN(when.getTime())) element.textContent = format.format(when);
  }
}

const TOAST_MS = 7000;
const MOST_TOASTS = 3;

/** Says something in passing. */
export function toast(text) {
  const place = document.getElementById("toasts");
  const box = document.createElement("div");
  box.className = "toast";
  box.dataset.testid = "toast";
  const said = document.createElement("span");
  said.textContent = text;
  const close = document.createElement("button");
  close.type = "button";
  close.textContent = "×";
  close.ariaLabel = say("close");
  close.addEventListener("click", () => box.remove());
  box.append(said, close);
  while (place.children.length >= MOST_TOASTS) place.firstElementChild.remove();
  place.append(box);
  setTimeout(() => box.remove(), TOAST_MS);
}

/** Bytes for people. */
export function size(bytes) {
  if (bytes < 1000) return `${bytes} B`;
  if (bytes < 1e6) return `${Math.round(bytes / 1000)} kB`;
  return `${(bytes / 1e6).toFixed(1)} MB`;
}

/** An element over a page, at fractions of its width and height. */
export function boxAt([left, top, right, bottom], name) {
  const box = document.createElement("div");
  box.className = name;
  box.dataset.testid = name;
  box.style.left = `${left * 100}%`;
  box.style.top = `${top * 100}%`;
  box.style.width = `${(right - left) * 100}%`;
  box.style.height = `${(bottom - top) * 100}%`;
  return box;
}

const IMAGE_TRIES = 3;
const IMAGE_AGAIN_MS = 1200; // the server may be drawing as many pages as it can

/** Shows an image once it is whole; false where there is none, also after some tries. */
export async function showImage(image, address) {
  for (let tries = 1; ; tries++) {
    image.src = address;
    try {
      await image.decode();
      return true;
    } catch {
      if (tries >= IMAGE_TRIES || !image.src.endsWith(address)) return false;
    }
    await new Promise((resolve) => setTimeout(resolve, IMAGE_AGAIN_MS));
    if (!image.src.endsWith(address)) return false; // another one is wanted by now
  }
}
