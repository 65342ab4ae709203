// What every page does: moments in the reader's own time zone, and the menu closing when focus leaves it.
import { moments } from "./dom.js";

moments(document);

const menu = document.querySelector(".bar-menu");
menu?.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && menu.open) {
    menu.open = false;
    menu.querySelector("summary").focus();
  }
});
document.addEventListener("click", (event) => {
  if (menu?.open && !menu.contains(event.target)) menu.open = false;
});
