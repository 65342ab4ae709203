// The figures of operations, fetched again while somebody looks at them.
import { moments } from "./dom.js";
import { look } from "./refresh.js";

const AGAIN_MS = 10_000;

moments(document);
document.getElementById("filters").addEventListener("change", (event) => event.currentTarget.requestSubmit());
setInterval(() => {
  if (!document.hidden) look("#op-body");
}, AGAIN_MS);
