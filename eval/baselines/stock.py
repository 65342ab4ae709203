"""The stock pipeline as something to measure: put to a question set, its results are runs like the service's own.

Results are kept as they come, so that a run that broke off goes on with the questions that are missing.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from app.types import Language
from eval.baselines.environment import REQUIREMENTS, StockPipelineError
from eval.baselines.wording import SYSTEM, is_refusal
from eval.question_sets import LabelledQuestion, canonical
from eval.records import FoundPassage, Record, Run, RunSettings

NAME = "stock LangChain"
PROGRAM = Path(__file__).with_name("stock_chain.py")
RANKED = 30
"""Candidates of each retriever, as many as the service's ranking is measured with."""
PASSAGES = 4
"""LangChain's default number of documents, put before the model."""
ANSWER_SECONDS = 600.0
Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class ModelPlace:
    """An OpenAI-compatible endpoint and how it is asked; an answer ends after `max_tokens`."""

    name: str
    base_url: str
    api_key: str
    max_tokens: int = 512


class Reply(BaseModel):
    """What the program said of one question."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    key: str
    found: tuple[tuple[str, int, int], ...] = ()
    answer: str | None = None
    seconds_to_sources: float | None = None
    seconds: float | None = None
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    error: str | None = None


@dataclass(frozen=True)
class StockPipeline:
    """The pipeline over the PDFs of one knowledge base; index and results are kept below `work`.

    `python` is that of its environment, `embedder` the folder of the weights with the content hash `revision`.
    """

    python: Path
    embedder: Path
    revision: str
    pdfs: tuple[Path, ...]
    work: Path

    @cached_property
    def folder(self) -> Path:
        """Where its index and results are; other files, weights or another pipeline have another place."""
        parts = [REQUIREMENTS.read_bytes(), PROGRAM.read_bytes(), self.revision.encode(), bytes([RANKED])]
        parts += [part for pdf in self.pdfs for part in (pdf.name.encode(), pdf.read_bytes())]
        return self.work / sha256(b"".join(sha256(part).digest() for part in parts)).hexdigest()[:16]

    def run(
        self,
        name: str,
        questions: Sequence[LabelledQuestion],
        model: ModelPlace | None,
        ended: Callable[[int], None] = lambda _done: None,
    ) -> Run:
        """The questions searched for and, with a `model`, answered; `ended` hears how many have a result.

        Raises `StockPipelineError` where the program cannot run.
        """
        started = datetime.now(UTC).isoformat(timespec="seconds")
        kept = _Kept(self.folder / _results_name(model))
        keys = [key_of(question) for question in questions]
        missing = [question for key, question in zip(keys, questions, strict=True) if key not in kept.replies]
        failed: dict[str, Reply] = {}
        for reply in self._ask(missing, model) if missing else ():
            if reply.error is None:
                kept.add(reply)
            else:
                failed[reply.key] = reply
            ended(sum(key in kept.replies or key in failed for key in keys))
        ended(len(keys))
        replies = failed | kept.replies
        records = [record_of(index, one, replies[keys[index]], model) for index, one in enumerate(questions)]
        return Run(
            id=f"stock-{name}",
            name=f"{name}, {NAME}",
            knowledge_base=NAME,
            question_set=name,
            set_hash=sha256(canonical(questions).encode()).hexdigest(),
            settings=RunSettings(mode="answers" if model else "retrieval", limit=None if model else RANKED),
            started_at=started,
            finished_at=datetime.now(UTC).isoformat(timespec="seconds"),
            fingerprint={"embedder": f"{self.embedder.name}@{self.revision}", "chunk_size": 1000, "chunk_overlap": 100},
            model=model.name if model else None,
            versions=_versions(),
            questions=len(records),
            records=tuple(records),
        )

    def _ask(self, questions: Sequence[LabelledQuestion], model: ModelPlace | None) -> Iterator[Reply]:
        order = {
            "pdfs": [str(pdf) for pdf in self.pdfs],
            "index": str(self.folder / "index"),
            "embedder": str(self.embedder),
            "ranked": RANKED,
            "passages": PASSAGES,
            "system": SYSTEM,
            "model": _asked_with(model) if model else None,
            "questions": [
                {"key": key_of(question), "question": question.question, "language": language_of(question)}
                for question in questions
            ],
        }
        self.folder.mkdir(parents=True, exist_ok=True)
        missing = {key_of(question) for question in questions}
        with _program(self.python, order, self.folder / "program.log") as lines:
            for line in lines:
                if line["event"] == "question":
                    missing.discard(line["key"])
                    yield Reply.model_validate(line)
        if missing:
            raise StockPipelineError(
                f"it ended before its last {len(missing)} questions; see {self.folder}/program.log"
            )


def record_of(index: int, question: LabelledQuestion, reply: Reply, model: ModelPlace | None) -> Record:
    """A reply as evaluations keep them; it has no citations and no cosines."""
    refused = reply.answer is not None and is_refusal(reply.answer)
    return Record(
        index=index,
        question=question,
        found=tuple(
            FoundPassage(document=file, page_start=page, page_end=page, chunk_id=str(chunk), cosine=0.0)
            for file, page, chunk in reply.found
        ),
        shown=PASSAGES if model else None,
        answer=reply.answer or "",
        refused=refused,
        reason="not_in_manuals" if refused else None,
        mode=None if reply.answer is None else "refused" if refused else "generated",
        model=model.name if model else None,
        prompt_tokens=reply.prompt_tokens,
        completion_tokens=reply.completion_tokens,
        seconds_to_sources=reply.seconds_to_sources,
        seconds=reply.seconds,
        error="model_unavailable" if reply.error else None,
        error_message=reply.error,
    )


def key_of(question: LabelledQuestion) -> str:
    """Names a question by its words and the language of its prompt, whatever its labels."""
    return sha256(f"{language_of(question)}\n{question.question}".encode()).hexdigest()[:20]


def language_of(question: LabelledQuestion) -> Language:
    """The language of the prompt."""
    return "zh" if question.lang.startswith("zh") else "en"


class _Kept:
    """Results in a file of JSON lines; a line that was cut off in the middle does not count."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.replies: dict[str, Reply] = {}
        if path.exists():
            for line in path.read_text(encoding="utf-8").split("\n"):
                try:
                    reply = Reply.model_validate_json(line)
                except ValidationError:
                    continue
                self.replies[reply.key] = reply

    def add(self, reply: Reply) -> None:
        self.replies[reply.key] = reply
        with self._path.open("a", encoding="utf-8") as file:
            file.write("\n" + reply.model_dump_json(exclude_none=True))


def _results_name(model: ModelPlace | None) -> str:
    if model is None:
        return "found.jsonl"
    told = json.dumps([model.name, model.max_tokens, PASSAGES, SYSTEM], sort_keys=True)
    return f"answers-{sha256(told.encode()).hexdigest()[:12]}.jsonl"


def _asked_with(model: ModelPlace) -> Json:
    # LangChain writes a limit under a name that only some servers know; `max_tokens` is known to all
    return {
        "model": model.name,
        "base_url": model.base_url,
        "api_key": model.api_key,
        "timeout": ANSWER_SECONDS,
        "extra_body": {"max_tokens": model.max_tokens},
    }


@contextmanager
def _program(python: Path, order: Json, log_path: Path) -> Iterator[Iterator[Json]]:
    """The lines that the program writes; it is ended with the block."""
    unwanted = ("LANGSMITH_", "LANGCHAIN_", "OPENAI_", "PYTHON")  # tracing, other endpoints, other packages
    environment = {name: value for name, value in os.environ.items() if not name.startswith(unwanted)}
    environment |= {"HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"}
    with (
        log_path.open("wb") as log,
        subprocess.Popen(  # noqa: S603 - our own command
            [str(python), "-I", str(PROGRAM)],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            encoding="utf-8",
        ) as process,
    ):
        try:
            if process.stdin is None or process.stdout is None:
                raise StockPipelineError("it has no pipes")
            with suppress(BrokenPipeError), process.stdin:  # it ended before it read: what it wrote says why
                process.stdin.write(json.dumps(order))
            yield (json.loads(line) for line in process.stdout)
        finally:
            process.kill()


def _versions() -> dict[str, str]:
    lines = (line for line in REQUIREMENTS.read_text(encoding="utf-8").splitlines() if not line.startswith("#"))
    return dict(line.split("==") for line in lines if "==" in line)
