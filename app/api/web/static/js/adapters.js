// Adapters: taking one in, hosting, proving, putting to use, taking that back, putting away.
import { call, tell } from "./api.js";
import { fill, one } from "./dom.js";
import { confirmed, rows, saving } from "./forms.js";
import { lookWhile } from "./refresh.js";

const AGAIN_MS = 2000; // between two looks at a proof that is under way
const MOST_NAME = 120;

const place = one(".adapters");

function form(id, work) {
  const found = document.getElementById(id);
  found?.addEventListener("submit", (event) => {
    event.preventDefault();
    saving(found, () => work(found.elements));
  });
  return found;
}

// --- taking one in ------------------------------------------------------------------------------------------------------

form("import", async ({ name, file, prompt, context_tokens: tokens, base }) => {
  const wanted = new URLSearchParams({ name: name.value.trim() });
  if (prompt.value) wanted.set("prompt", prompt.value);
  if (tokens.value) wanted.set("context_tokens", tokens.value);
  if (base.value.trim()) wanted.set("base", base.value.trim());
  const made = await (await call("POST", `/v1/adapters?${wanted}`, { body: file.files[0] })).json();
  location.assign(`/adapters/${made.id}`);
  return true;
});

// --- proof and use ------------------------------------------------------------------------------------------------------

form("prove", async ({ base, file }) => {
  const body = { knowledge_base_id: base.value };
  if (file.files.length) {
    const set = await rows(file.files[0], MOST_NAME);
    Object.assign(body, { questions: set.text, question_set_name: set.name, format: set.format });
  }
  await call("POST", `/v1/adapters/${place.dataset.adapter}/prove`, { json: body });
  location.reload();
  return true;
});

const promote = form("promote", async ({ base, share, reason, force }) => {
  const json = {
    adapter_id: place.dataset.adapter,
    share: Number(share.value),
    force: force.checked,
    reason: reason.value.trim(),
  };
  await call("PUT", `/v1/knowledge-bases/${encodeURIComponent(base.value)}/adapter`, { json });
  location.reload();
  return true;
});
promote?.addEventListener("change", () => {
  promote.elements.reason.required = promote.elements.force.checked;
});

lookWhile("#proofs", "[data-running]", AGAIN_MS);

// --- buttons ------------------------------------------------------------------------------------------------------------

place.addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (button?.dataset.do) {
    const id = button.closest("[data-adapter]").dataset.adapter;
    change(button, `/v1/adapters/${id}/${button.dataset.do}`);
  } else if (button?.dataset.rollback !== undefined) rollBack(button);
  else if (button?.dataset.retire !== undefined) retire(button);
});

async function change(button, address, json = undefined) {
  button.disabled = true;
  try {
    await call("POST", address, { json });
    location.reload();
  } catch (error) {
    button.disabled = false;
    tell(error);
  }
}

async function rollBack(button) {
  const { base, name } = button.closest("[data-base]").dataset;
  const dialog = document.getElementById("rollback");
  fill(dialog, "base", name);
  if (!(await confirmed(dialog))) return;
  const reason = document.getElementById("rollback-reason").value.trim();
  change(button, `/v1/knowledge-bases/${encodeURIComponent(base)}/adapter/rollback`, { reason });
}

async function retire(button) {
  if (await confirmed(document.getElementById("retire"))) change(button, `/v1/adapters/${place.dataset.adapter}/retire`);
}
