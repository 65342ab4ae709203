"""The quality of the service on every labelled set, beside a stock LangChain pipeline with the same model.

Retrieval is measured on all questions, answers on seeded samples. All that was asked is kept in the work folder: a
second call goes on with what is missing and makes the same tables again.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from rich.progress import Progress

from app.errors import ManualqaError
from app.generate.engine import LocalEngine
from app.generate.model_server import EngineConfig
from app.models.store import ModelStore
from app.settings import Settings, go_offline, load_settings
from eval import report
from eval.baselines.environment import StockPipelineError, stock_python
from eval.baselines.stock import ModelPlace, StockPipeline
from eval.bench.label_sets import SETS, LabelSet, find
from eval.bench.quality_table import Measured, figures, markdown
from eval.bench.server import console, filled_base, running_server
from eval.bench.service_runs import ServiceRuns
from eval.question_sets import LabelledQuestion, draw
from eval.records import Run, RunSettings
from eval.summary import summarise

Sample = tuple[int | None, int | None]
"""How many answerable and unanswerable questions; None takes all."""

SEED = 20261123
RANKED = 30
STOCK_EMBEDDER = "all-minilm-l6-v2"
STOCK_CONTEXT_TOKENS = 8192
"""Four Chinese chunks of 1,000 characters pass the service's default context with the answer."""
EVERY = "*"


@dataclass(frozen=True)
class Plan:
    """What is measured. Samples are by set, with those of "*" for the rest; the stock pipeline's lie within ours."""

    sets: Sequence[str] = SETS
    samples: Mapping[str, Sample] = field(default_factory=lambda: {"manuals_gold": (None, None), EVERY: (15, 10)})
    baseline_samples: Mapping[str, Sample] = field(default_factory=lambda: {"manuals_gold": (40, 20), EVERY: (10, 5)})
    answers: bool = True
    baseline: bool = True
    fresh: bool = False
    seed: int = SEED

    @classmethod
    def chosen(
        cls, sets: Sequence[str] | None, samples: Sequence[str] | None, baseline_samples: Sequence[str] | None
    ) -> Plan:
        """A plan from words of a command line, such as "rgb_en=15+10"; what is not said stays. Raises ValueError."""
        plain = cls()
        return cls(
            sets=tuple(sets or SETS),
            samples={**plain.samples, **dict(map(sample_of, samples or ()))},
            baseline_samples={**plain.baseline_samples, **dict(map(sample_of, baseline_samples or ()))},
        )


def sample_of(text: str) -> tuple[str, Sample]:
    """A set and its sample from "rgb_en=15+10", "manuals_gold=all" or, for the other sets, "*=15+10".

    Raises ValueError.
    """
    name, _, size = text.partition("=")
    if size == "all":
        return name, (None, None)
    answerable, _, unanswerable = size.partition("+")
    if not name or not (answerable.isdigit() and unanswerable.isdigit()):
        raise ValueError(f"{text}: not of the form name=15+10 or name=all")
    return name, (int(answerable), int(unanswerable))


def measure(data: Path, work: Path, plan: Plan | None = None) -> list[dict[str, Any]]:
    """One row a set with its main figures; tables, every figure and a report a run are written to `work`/quality."""
    go_offline()
    plan = plan or Plan()
    present, missing = find(data, plan.sets)
    for name in missing:
        console.print(f"{name}: left out, it is not in {data}", markup=False)
    folder = work / "quality"
    folder.mkdir(parents=True, exist_ok=True)
    measured = _service_runs(present, work, plan)
    if plan.baseline:
        measured = _with_stock(present, measured, work, plan)
    _write(folder, measured, plan)
    return [_row(one) for one in measured]


def _service_runs(present: Sequence[LabelSet], work: Path, plan: Plan) -> list[Measured]:
    model = load_settings().llm_model
    measured = []
    with running_server(work / "data", model=model if plan.answers else None) as server:
        runs = ServiceRuns(server.client, work / "quality" / "runs.json", model, plan.fresh)
        bases: dict[str, str] = {}
        for labels in present:
            if labels.base not in bases:
                bases[labels.base] = filled_base(server.client, labels.base, list(labels.pdfs))
            base = bases[labels.base]
            found = runs.run(labels, base, RunSettings(mode="retrieval", limit=RANKED, seed=plan.seed))
            answered = None
            if plan.answers:
                answerable, unanswerable = _sample(plan.samples, labels)
                settings = RunSettings(answerable=answerable, unanswerable=unanswerable, seed=plan.seed)
                answered = runs.run(labels, base, settings)
            measured.append(Measured(labels.name, found, answered))
    return measured


def _with_stock(present: Sequence[LabelSet], ours: Sequence[Measured], work: Path, plan: Plan) -> list[Measured]:
    """The same sets with the runs of the stock pipeline, or as many of them as it could make: it says why."""
    measured = {one.name: one for one in ours}
    settings = load_settings()
    try:
        weights = ModelStore.from_settings(settings).resolve(STOCK_EMBEDDER)
        python = stock_python()
        pipelines = [
            (labels, StockPipeline(python, weights.path, weights.revision, labels.pdfs, work / "stock" / labels.base))
            for labels in present
        ]
        for labels, pipeline in pipelines:
            with _bar(f"{labels.name} retrieval, stock", len(labels.questions)) as ended:
                found = pipeline.run(labels.name, labels.questions, None, ended)
            measured[labels.name] = replace(measured[labels.name], stock_retrieval=found)
        with _model_place(settings) if plan.answers else nullcontext() as model:
            for labels, pipeline in pipelines:
                drawn = _drawn(measured[labels.name], _sample(plan.baseline_samples, labels), plan.seed)
                if model is not None and drawn:
                    with _bar(f"{labels.name} answers, stock", len(drawn)) as ended:
                        answered = pipeline.run(labels.name, drawn, model, ended)
                    measured[labels.name] = replace(measured[labels.name], stock_answers=answered)
    except StockPipelineError as error:
        console.print(f"stock LangChain: left out from here on, {error}", markup=False)
    except ManualqaError as error:
        console.print(f"stock LangChain: left out from here on, {error.message('en')}", markup=False)
    return list(measured.values())


def _drawn(one: Measured, sample: Sample, seed: int) -> list[LabelledQuestion]:
    """A sample of what the service was asked, so that the two can be paired."""
    return draw([record.question for record in one.answers.records], *sample, seed) if one.answers else []


def _sample(samples: Mapping[str, Sample], labels: LabelSet) -> Sample:
    return samples.get(labels.name) or samples.get(EVERY, (None, None))


@contextmanager
def _model_place(settings: Settings) -> Iterator[ModelPlace]:
    """The endpoint of the settings, or a server of the default model as the service runs it."""
    if settings.llm_base_url:
        key = settings.llm_api_key.get_secret_value() if settings.llm_api_key else "none"
        yield ModelPlace(settings.llm_model, settings.llm_base_url, key)
        return
    weights = ModelStore.from_settings(settings).resolve(settings.llm_model)
    engine = LocalEngine(
        EngineConfig(
            name=weights.name,
            weights=weights.path,
            logs_dir=settings.logs_dir,
            context_tokens=max(settings.llm_context_tokens, STOCK_CONTEXT_TOKENS),
            slots=1,
            threads=settings.llm_threads,
            start_seconds=settings.llm_start_seconds,
        )
    )
    engine.start()
    try:
        deadline = time.monotonic() + settings.llm_start_seconds
        while (address := engine.base_url) is None:
            if time.monotonic() > deadline:
                raise StockPipelineError(f"its model does not start: {engine.status().detail}")
            time.sleep(0.2)
        yield ModelPlace(weights.name, address, engine.api_key)
    finally:
        engine.stop()


@contextmanager
def _bar(name: str, total: int) -> Iterator[Callable[[int], None]]:
    with Progress(console=console) as bars:
        task = bars.add_task(name, total=total)
        yield lambda done: bars.update(task, completed=done)


def _write(folder: Path, measured: Sequence[Measured], plan: Plan) -> None:
    text = markdown(measured)
    (folder / "quality.md").write_text(text, encoding="utf-8")
    kept = {"seed": plan.seed, "sets": figures(measured)}
    (folder / "quality.json").write_text(json.dumps(kept, ensure_ascii=False, indent=1), encoding="utf-8")
    for one in measured:
        runs = {"retrieval": one.retrieval, "answers": one.answers, "stock": one.stock_answers}
        for kind, run in runs.items():
            if run is not None:
                _write_run(folder / f"{one.name}-{kind}", run)
    print(text)


def _write_run(path: Path, run: Run) -> None:
    path.with_suffix(".json").write_text(run.model_dump_json(exclude_defaults=True), encoding="utf-8")
    path.with_suffix(".html").write_text(report.html(summarise(run), "en"), encoding="utf-8")


def _row(one: Measured) -> dict[str, Any]:
    found = {"ours": (one.retrieval, one.answers), "stock": (one.stock_retrieval, one.stock_answers)}
    row: dict[str, Any] = {"set": one.name}
    for side, (retrieval, answers) in found.items():
        for run, metrics in ((retrieval, ("hit@5",)), (answers, ("answer_accuracy", "refusal_recall"))):
            summary = summarise(run) if run is not None else None
            for metric in metrics:
                figure = summary.figures.get(metric) if summary else None
                row[f"{side} {metric}"] = round(figure.value, 3) if figure and figure.value is not None else None
    return row
