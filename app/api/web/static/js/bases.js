// The list of knowledge bases: making a new one.
import { call, Fault, tell } from "./api.js";
import { one } from "./dom.js";

const form = document.getElementById("create");
form?.addEventListener("submit", async (event) => {
  event.preventDefault();
  const name = one("input", form);
  const button = one("button", form);
  button.disabled = true;
  try {
    const made = await (await call("POST", "/v1/knowledge-bases", { json: { name: name.value.trim() } })).json();
    location.assign(`/kb/${made.id}/documents`);
  } catch (error) {
    button.disabled = false;
    name.setAttribute("aria-invalid", "true");
    name.focus();
    if (!(error instanceof Fault) || error.status === 401) return tell(error);
    const fault = document.getElementById("create-fault");
    fault.textContent = error.message;
    fault.hidden = false;
  }
});
