"""Evaluations of the running service that a benchmark asked for: started once, taken up again by later calls."""

from __future__ import annotations

import json
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from rich.progress import Progress

import app
from app.cli.client import Client, ServerError
from eval.bench.label_sets import LabelSet
from eval.bench.server import console
from eval.question_sets import canonical
from eval.records import Run, RunSettings

ENDED = ("done", "failed", "cancelled")
_NOT_FOUND = 404
_STAGES = ("text", "ingest", "retrieve", "generate")
Json = dict[str, Any]


@dataclass(frozen=True)
class ServiceRuns:
    """Runs in the service behind `client`; `notes` is a small file that remembers which evaluation is which.

    The same questions with the same settings, index and model are the same run. One that was made by other code is
    kept too, and said to be: `fresh` asks everything anew.
    """

    client: Client
    notes: Path
    model: str
    fresh: bool = False

    def run(self, labels: LabelSet, base_id: str, settings: RunSettings) -> Run:
        """The run, whole, or with what there is where the service gave up (it says why); a later call goes on."""
        base = self.client.get(f"/v1/knowledge-bases/{base_id}")
        asked = canonical(labels.questions)
        parts = [base_id, base["fingerprint"], settings.model_dump(mode="json"), asked]
        if settings.mode == "answers":
            parts.append(self.model)
        key = sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]
        evaluation = self._known(key, labels.name)
        if evaluation is None:
            body = {
                "knowledge_base_id": base_id,
                "name": f"{labels.name} {settings.mode}",
                "question_set_name": labels.name,
                "questions": asked,
                "settings": settings.model_dump(mode="json"),
            }
            evaluation = self.client.post("/v1/evaluations", body)
            self._note(key, evaluation["id"])
        ended = self._followed(evaluation)
        if ended["error"]:
            console.print(f"{ended['name']}: {ended['error']['message']}", markup=False)
        return Run.model_validate(self.client.get(f"/v1/evaluations/{evaluation['id']}/run"))

    def _known(self, key: str, name: str) -> Json | None:
        """The evaluation of an earlier call, under way again where something is missing."""
        note = self._notes().get(key)
        if note is None or self.fresh:
            return None
        path = f"/v1/evaluations/{note['id']}"
        try:
            evaluation = self.client.get(path)
        except ServerError as error:
            if error.server_status == _NOT_FOUND:
                return None
            raise
        if note["code"] != code_version():
            console.print(f"{name}: asked by other code on {evaluation['created_at'][:16]}; --fresh asks again")
        if evaluation["state"] in ("failed", "cancelled") or (evaluation["state"] == "done" and evaluation["failed"]):
            try:
                return self.client.post(f"{path}/resume", {})
            except ServerError as error:
                if error.server_code != "nothing_to_resume":
                    raise
        return evaluation

    def _followed(self, evaluation: Json) -> Json:
        if evaluation["state"] in ENDED:
            return evaluation
        watch = self.client.watch(f"/v1/evaluations/{evaluation['id']}/events")
        with Progress(console=console) as bars:
            task = bars.add_task(evaluation["name"], total=evaluation["questions"] or 1)
            try:
                for _, data in watch:
                    if "state" in data:
                        bars.update(task, completed=data["done"])
                        if data["state"] in ENDED:
                            break
            finally:
                watch.close()
        return self.client.get(f"/v1/evaluations/{evaluation['id']}")

    def _notes(self) -> dict[str, dict[str, str]]:
        notes: dict[str, dict[str, str]] = json.loads(self.notes.read_text()) if self.notes.exists() else {}
        return notes

    def _note(self, key: str, evaluation_id: str) -> None:
        notes = self._notes() | {key: {"id": evaluation_id, "code": code_version()}}
        self.notes.parent.mkdir(parents=True, exist_ok=True)
        unfinished = self.notes.with_suffix(".new")
        unfinished.write_text(json.dumps(notes, indent=1))
        unfinished.replace(self.notes)


def code_version() -> str:
    """A hash of the code that decides what is found and answered."""
    root = Path(app.__file__).parent
    files = sorted(path for stage in _STAGES for path in (root / stage).rglob("*.py"))
    return sha256(b"".join(sha256(path.read_bytes()).digest() for path in files)).hexdigest()[:12]
