// Parts of a page that are fetched again while something is under way.
import { page, tell } from "./api.js";
import { moments, one } from "./dom.js";

let looking = false;

/** Puts what the server shows now in the place of the element that the selector finds. */
export async function look(selector) {
  if (looking) return;
  looking = true;
  try {
    const found = await page(location.href);
    const fresh = document.importNode(one(selector, found.body), true);
    const shown = one(selector);
    for (const { name, value } of fresh.attributes) shown.setAttribute(name, value);
    if (!fresh.hasAttribute("data-running")) shown.removeAttribute("data-running");
    shown.replaceChildren(...fresh.childNodes);
    moments(shown);
  } catch (error) {
    tell(error);
  } finally {
    looking = false;
  }
}

/** Looks again and again as long as the element has something that matches `running`. */
export function lookWhile(selector, running, milliseconds) {
  if (!one(`${selector} ${running}`)) return;
  const timer = setInterval(async () => {
    if (document.hidden) return;
    await look(selector);
    if (!one(`${selector} ${running}`)) clearInterval(timer);
  }, milliseconds);
}
