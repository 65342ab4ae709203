// Forms that call the API: the button is held while they do, and a fault is said in the form.
import { Fault, tell } from "./api.js";
import { one } from "./dom.js";

/** Runs `work` with the form's button held, and on where it leads to another page, which it says by true. */
export async function saving(form, work) {
  const fault = one("[data-fault]", form);
  const button = one("button:not([type=button])", form);
  fault.hidden = true;
  button.disabled = true;
  let leaves = false;
  try {
    leaves = (await work()) === true;
  } catch (error) {
    if (error instanceof Fault && error.status !== 401) {
      fault.textContent = error.message;
      fault.hidden = false;
    } else tell(error);
  } finally {
    button.disabled = leaves;
  }
}

/** Opens a dialog of two answers; whether it was answered with yes. */
export function confirmed(dialog) {
  dialog.returnValue = "no";
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => resolve(dialog.returnValue === "yes"), { once: true });
  });
}

/** What a chosen file of questions or pairs is to the API: its text, its format and its name without the ending. */
export async function rows(file, mostName) {
  return {
    text: await file.text(),
    format: /\.csv$/i.test(file.name) ? "csv" : "jsonl",
    name: file.name.replace(/\.[^.]*$/, "").slice(0, mostName) || "questions",
  };
}
