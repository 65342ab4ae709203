// The figures of operations, fetched again while somebody looks at them.
import { moments, one } from "./dom.js";
import { look } from "./refresh.js";

const AGAIN_MS = 10_000;

moments(document);
document.getElementById("filters").addEventListener("change", (event) => event.currentTarget.requestSubmit());
setInterval(async () => {
  if (document.hidden) return;
  const wasOpen = one("#op-history")?.open;
  await look("#op-body");
  const history = one("#op-history");
  if (history && wasOpen) history.open = true;
}, AGAIN_MS);
