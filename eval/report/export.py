"""A run's report for programs and spreadsheets.

JSON has the keys `schema` (1; grows when a key changes its meaning or goes), `run` (`id`, `name`, `knowledge_base`,
`question_set`, `set_hash`, `settings`, `started_at`, `finished_at`, `fingerprint`, `model`, `versions`, `questions`),
`figures` (by metric: `value`, `low`, `high` of the 95% interval, `n`), `groups` (`by`, `value`, `n`, `figures`),
`verdicts` and `reasons` (counts), `risk_coverage` (`coverage`, `risk`, `confidence`), `latencies` (by stage, in
seconds), `judge` (`agreement`, `kappa`, or null) and `questions`: each with `verdict`, `why`, `exact`, `token_f1`,
`rank`, `metrics` and the `record` as the run keeps it.
"""

from __future__ import annotations

import csv
import io
import json
from dataclasses import asdict
from typing import Any

from app.types import Language
from eval.figures import Figure, Scored, Summary
from eval.records import GivenCitation
from eval.report.inert import spreadsheet_cell
from eval.report.rows import seconds_of
from eval.wording import reason_name

SCHEMA = 1
BYTE_ORDER_MARK = "\ufeff"

COLUMNS = (
    "number",
    "id",
    "language",
    "type",
    "answerable",
    "question",
    "verdict",
    "why",
    "answer",
    "accepted_answers",
    "right_pages",
    "rank",
    "token_f1",
    "sources",
    "citations",
    "withheld",
    "doubt",
    "seconds",
    "seconds_to_first_token",
    "prompt_tokens",
    "completion_tokens",
    "model",
    "error",
)


def json_text(summary: Summary) -> str:
    """The report as JSON: every figure with its interval, every group, every question with its record."""
    run = summary.run
    content = {
        "schema": SCHEMA,
        "run": run.model_dump(mode="json", exclude={"records"}),
        "figures": _figures(summary.figures),
        "groups": [
            {"by": group.by, "value": group.value, "n": group.n, "figures": _figures(group.figures)}
            for group in summary.groups
        ],
        "verdicts": summary.verdicts,
        "reasons": summary.reasons,
        "risk_coverage": [asdict(point) for point in summary.risk_coverage],
        "latencies": summary.latencies,
        "judge": _judge(summary),
        "questions": [_question(one) for one in summary.scored],
    }
    return json.dumps(content, ensure_ascii=False, indent=1, allow_nan=False) + "\n"


def csv_text(summary: Summary, language: Language = "en") -> str:
    """One line a question under the names of `COLUMNS`, in UTF-8 with a byte order mark, so that a spreadsheet reads
    Chinese as such; reasons are in `language`. No cell of it is taken for a formula."""
    out = io.StringIO()
    out.write(BYTE_ORDER_MARK)
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    for one in summary.scored:
        cells = _cells(one, language)
        writer.writerow([_cell(cells[name]) for name in COLUMNS])
    return out.getvalue()


def _figures(figures: dict[str, Figure]) -> dict[str, Any]:
    return {metric: asdict(figure) for metric, figure in figures.items()}


def _judge(summary: Summary) -> dict[str, Any] | None:
    if summary.judge_agreement is None:
        return None
    return {"agreement": asdict(summary.judge_agreement), "kappa": summary.judge_kappa}


def _question(scored: Scored) -> dict[str, Any]:
    return {
        "verdict": scored.verdict,
        "why": scored.why,
        "exact": scored.exact,
        "token_f1": scored.token_f1,
        "rank": scored.rank,
        "metrics": dict(scored.metrics),
        "record": scored.record.model_dump(mode="json"),
    }


def _cells(scored: Scored, language: Language) -> dict[str, object]:
    record, question = scored.record, scored.record.question
    return {
        "number": record.index + 1,
        "id": question.id,
        "language": question.lang,
        "type": question.type,
        "answerable": question.answerable,
        "question": question.question,
        "verdict": scored.verdict,
        "why": reason_name(scored.why, language),
        "answer": record.answer,
        "accepted_answers": "\n".join([*question.answers, *question.answer_parts]),
        "right_pages": "\n".join(f"{name}, {page}" for name, page in sorted(question.pages())),
        "rank": scored.rank,
        "token_f1": scored.token_f1,
        "sources": "\n".join(
            f"{found.document}, {found.page_start}–{found.page_end}, {found.cosine:.3f}, "
            f"{'passed' if found.passed else 'below threshold'}"
            for found in record.found
        ),
        "citations": "\n".join(_cited(citation) for citation in record.citations),
        "withheld": "\n".join(record.withheld),
        "doubt": record.doubt,
        "seconds": seconds_of(record),
        "seconds_to_first_token": record.seconds_to_first_token,
        "prompt_tokens": record.prompt_tokens,
        "completion_tokens": record.completion_tokens,
        "model": record.model,
        "error": " ".join(part for part in (record.error, record.error_message) if part),
    }


def _cited(citation: GivenCitation) -> str:
    checked = "unchecked" if citation.true is None else "true" if citation.true else "false"
    return f"{citation.document}, {citation.page}, {checked}: {citation.quote}"


def _cell(value: object) -> object:
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return f"{value:.4g}"
    return value if isinstance(value, int) else spreadsheet_cell(str(value))
