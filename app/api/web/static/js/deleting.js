// Deleting a document, after a question.
import { call, documentAddress, tell } from "./api.js";
import { say } from "./dom.js";

/** Asks, deletes, and then calls `done`. */
export function askToDelete(base, id, name, done) {
  const dialog = document.getElementById("delete-document");
  document.getElementById("delete-lead").textContent = say("delete.document", { name });
  dialog.returnValue = "no";
  dialog.showModal();
  dialog.addEventListener(
    "close",
    async () => {
      if (dialog.returnValue !== "yes") return;
      try {
        await call("DELETE", documentAddress(base, id));
        done();
      } catch (error) {
        tell(error);
      }
    },
    { once: true },
  );
}
