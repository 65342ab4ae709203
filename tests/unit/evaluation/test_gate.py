"""The gate lets a good run through and sees a broken search and a model that always answers."""

from __future__ import annotations

import pytest

from app.errors import InvalidInput
from eval.gate import check, parse
from eval.metrics import METRICS
from eval.records import Record, Run
from eval.summary import summarise
from tests.unit.evaluation.factories import a_citation, a_question, a_record, a_refusal, a_run, an_unanswerable, pages

CONDITIONS = [
    "answer_accuracy=0.85",
    "refusal_recall=0.9",
    "false_refusal_rate<=0.08",
    "hit@5>=0.95",
    "invented_rate=10%",
]
ASKED = 60


def answered(number: int, **fields: object) -> Record:
    question = a_question(answers=(f"{number} V",), relevant_pages=(("pump.pdf", number + 1),))
    right = {"answer": f"It is {number} V.", "found": pages(number + 1, 90, 91), "citations": (a_citation(),)}
    return a_record(question, **(right | fields))


def a_good_run() -> Run:
    """One answer in twenty is wrong, and one unanswerable question in twenty is answered."""
    records = [answered(n, **({"answer": "It is 99 V."} if n % 20 == 0 else {})) for n in range(ASKED)]
    records += [a_record(an_unanswerable()) if n % 20 == 0 else a_refusal(an_unanswerable()) for n in range(ASKED)]
    return a_run(*records)


def a_run_with_a_broken_search() -> Run:
    """The same pages for every question; the model, true to its orders, refuses what they do not say."""
    records = [a_refusal(answered(n).question, found=pages(90, 91, 92, 93, 94)) for n in range(ASKED)] + [
        a_refusal(an_unanswerable()) for _ in range(ASKED)
    ]
    return a_run(*records)


def a_run_that_always_answers() -> Run:
    return a_run(*(answered(n) for n in range(ASKED)), *(a_record(an_unanswerable()) for _ in range(ASKED)))


def failed(run: Run) -> set[str]:
    summary = summarise(run)
    lines = check(summary, parse(CONDITIONS))
    return {name for name in METRICS if any(f"({name})" in line for line in lines)}


def test_a_good_run_passes() -> None:
    assert failed(a_good_run()) == set()


def test_a_broken_search_is_seen() -> None:
    run = a_run_with_a_broken_search()
    assert failed(run) == {"answer_accuracy", "false_refusal_rate", "hit@5"}
    assert summarise(run).reasons == {"page_not_found": ASKED}


def test_a_model_that_always_answers_is_seen() -> None:
    run = a_run_that_always_answers()
    assert failed(run) == {"refusal_recall", "invented_rate"}
    assert summarise(run).figures["answer_accuracy"].value == 1


def test_a_model_that_always_refuses_is_seen() -> None:
    run = a_run(*(a_refusal(answered(n).question) for n in range(9)), a_refusal(an_unanswerable()))
    assert {"answer_accuracy", "false_refusal_rate"} <= failed(run)


def test_the_bound_itself_is_allowed() -> None:
    summary = summarise(a_run(*(answered(n) for n in range(3)), answered(3, answer="No idea.")))
    assert check(summary, parse(["answer_accuracy=0.75", "answer_accuracy<=0.75", "answer_accuracy>=75%"])) == []
    [line] = check(summary, parse(["answer_accuracy=0.76"]))
    assert line == "Answer accuracy (answer_accuracy) is 0.75; answer_accuracy>=0.76 was demanded"
    [chinese] = check(summary, parse(["answer_accuracy=0.76"]), "zh")
    assert chinese == "回答正确率 (answer_accuracy) 为 0.75；要求为 answer_accuracy>=0.76"


def test_what_could_not_be_measured_and_a_run_cut_short_fail() -> None:
    summary = summarise(a_run(answered(1), questions=3))
    lines = check(summary, parse(["refusal_recall=0.5"]))
    assert lines[0] == "only 1 of 3 questions were asked"
    assert "could not be measured" in lines[1]
    assert all(
        any("\u4e00" <= c <= "\u9fff" for c in line) for line in check(summary, parse(["refusal_recall=0.5"]), "zh")
    )
    assert check(summary, []) == []


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("answer_accuracy=0.85", "answer_accuracy>=0.85"),
        ("false_refusal_rate = 0.08", "false_refusal_rate<=0.08"),
        ("seconds_p95=30", "seconds_p95<=30"),
        ("hit@5>=97%", "hit@5>=0.97"),
        ("mrr@10<=.5", "mrr@10<=0.5"),
    ],
)
def test_conditions(text: str, meant: str) -> None:
    assert [str(condition) for condition in parse([text])] == [meant]


def test_several_conditions_in_one_text() -> None:
    assert [c.metric for c in parse(["answer_accuracy=0.85, hit@5>=0.9 mrr@10=0.5"])] == [
        "answer_accuracy",
        "hit@5",
        "mrr@10",
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("accuracy=0.85", "known are hit@1, hit@3"),
        ("answer_accuracy", "write one like answer_accuracy=0.85"),
        ("answer_accuracy>0.85", "write one like"),
        ("answer_accuracy=85", "out of range"),
        ("answer_accuracy=nan", "write one like"),
        ("seconds_p95=30%", "out of range"),
        ("", "write one like"),
    ],
)
def test_bad_conditions_are_told_in_both_languages(text: str, said: str) -> None:
    with pytest.raises(InvalidInput, match=said) as caught:
        parse([text])
    assert said not in caught.value.message("zh")
