"""The tables of a quality benchmark as Markdown: the service's figures by set, beside those of the stock pipeline."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from eval.compare import compare
from eval.figures import Difference, Figure, Summary
from eval.records import Run
from eval.summary import summarise

RETRIEVAL = ("hit@1", "hit@5", "mrr@10", "ndcg@10")
ANSWERS = (
    "answer_accuracy",
    "false_refusal_rate",
    "refusal_recall",
    "citation_precision",
    "citation_page_precision",
    "groundedness",
    "failed_rate",
)
PAIRED_RETRIEVAL = ("hit@1", "hit@5", "mrr@10")
PAIRED_ANSWERS = ("answer_accuracy", "false_refusal_rate", "refusal_recall", "token_f1")
TIMES = ("seconds_p50", "seconds_p95", "prompt_tokens")
NOTHING = "-"


@dataclass(frozen=True)
class Measured:
    """The runs of one set; what was not asked for is None."""

    name: str
    retrieval: Run
    answers: Run | None = None
    stock_retrieval: Run | None = None
    stock_answers: Run | None = None


def markdown(sets: Sequence[Measured]) -> str:
    """All tables, with what each one counts."""
    parts = [
        "### Retrieval, all questions\n\nValue and 95% interval; n: answerable questions.",
        _own(sets, "retrieval"),
    ]
    if any(one.stock_retrieval for one in sets):
        parts += ["### Retrieval beside stock LangChain, the same questions", _beside(sets, "retrieval")]
    if any(one.answers for one in sets):
        parts += ["### Answers\n\nn: answerable + unanswerable questions of the sample.", _own(sets, "answers")]
    if any(one.stock_answers for one in sets):
        title = "### Answers beside stock LangChain, the questions put to both\n\nThe same model server for both."
        parts += [title, _beside(sets, "answers")]
    return "\n\n".join(parts) + "\n"


def figures(sets: Sequence[Measured]) -> dict[str, Any]:
    """The same as plain values, with every metric."""
    found: dict[str, Any] = {}
    for one in sets:
        found[one.name] = {
            kind: {
                "ours": {language: _values(summary) for language, summary in by_language(ours).items()},
                "stock": {language: _values(summary) for language, summary in by_language(stock).items()},
                "paired": [
                    {"language": language, **asdict(difference)}
                    for language, differences in _paired(stock, ours)
                    for difference in differences
                ],
            }
            for kind in ("retrieval", "answers")
            for ours, stock in [_runs(one, kind)]
        }
    return found


def by_language(run: Run | None) -> dict[str, Summary]:
    """The summary of each language's questions where there are several, and of all."""
    if run is None:
        return {}
    return {language: summarise(part) for language, part in _parts(run).items()}


def _parts(run: Run) -> dict[str, Run]:
    languages = sorted({record.question.lang for record in run.records})
    parts = {language: _only(run, language) for language in languages} if len(languages) > 1 else {}
    return {**parts, "all" if parts else (languages or ["all"])[0]: run}


def _only(run: Run, language: str) -> Run:
    records = tuple(record for record in run.records if record.question.lang == language)
    return run.model_copy(update={"records": records, "questions": len(records)})


def _runs(one: Measured, kind: str) -> tuple[Run | None, Run | None]:
    return (one.retrieval, one.stock_retrieval) if kind == "retrieval" else (one.answers, one.stock_answers)


def _own(sets: Sequence[Measured], kind: str) -> str:
    metrics = RETRIEVAL if kind == "retrieval" else (*ANSWERS, *TIMES)
    rows = []
    for one in sets:
        for language, summary in by_language(_runs(one, kind)[0]).items():
            cells = [_cell(metric, summary.figures.get(metric)) for metric in metrics]
            rows.append([one.name, language, _count(summary, kind), *cells])
    return _table(["set", "language", "n", *metrics], rows)


def _beside(sets: Sequence[Measured], kind: str) -> str:
    metrics = PAIRED_RETRIEVAL if kind == "retrieval" else PAIRED_ANSWERS
    rows = []
    for one in sets:
        ours, stock = _runs(one, kind)
        for language, differences in _paired(stock, ours):
            by_name = {difference.metric: difference for difference in differences}
            shown = [metric for metric in metrics if metric in by_name]
            rows += [[one.name, language, metric, *_difference(metric, by_name[metric])] for metric in shown]
    return _table(["set", "language", "metric", "n", "stock", "ours", "difference (95%)", "p"], rows)


def _paired(stock: Run | None, ours: Run | None) -> Iterable[tuple[str, tuple[Difference, ...]]]:
    if stock is None or ours is None:
        return
    before, after = _parts(stock), _parts(ours)
    for language in after:
        if language in before:
            yield language, compare(before[language], after[language]).differences


def _difference(metric: str, found: Difference) -> list[str]:
    change = NOTHING
    if found.difference is not None:
        change = f"{found.difference:+.3f}"
        if found.low is not None and found.high is not None:
            change += f" ({found.low:+.2f} to {found.high:+.2f})"
    p = NOTHING if found.p is None else "<0.001" if found.p < 0.001 else f"{found.p:.3f}"
    counts = sorted({found.before.n, found.after.n})
    return ["/".join(map(str, counts)), _cell(metric, found.before), _cell(metric, found.after), change, p]


def _count(summary: Summary, kind: str) -> str:
    answerable = sum(one.record.question.answerable for one in summary.scored)
    return str(answerable) if kind == "retrieval" else f"{answerable}+{len(summary.scored) - answerable}"


def _cell(metric: str, figure: Figure | None) -> str:
    if figure is None or figure.value is None:
        return NOTHING
    if metric.endswith("tokens"):
        return f"{figure.value:.0f}"
    if metric.startswith("seconds"):
        return f"{figure.value:.1f}"
    if figure.low is None or figure.high is None:
        return f"{figure.value:.3f}"
    return f"{figure.value:.3f} ({figure.low:.2f}-{figure.high:.2f})"


def _values(summary: Summary) -> dict[str, Any]:
    return {
        "n": len(summary.scored),
        "figures": {metric: asdict(figure) for metric, figure in summary.figures.items()},
        "verdicts": summary.verdicts,
        "reasons": summary.reasons,
    }


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = ["| " + " | ".join(cells) + " |" for cells in (columns, ["---"] * len(columns), *rows)]
    return "\n".join(lines)
