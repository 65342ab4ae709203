"""What an answer may say: what its passages say, with the quote that proves it."""

from __future__ import annotations

import pytest

from app.generate.context import select_passages
from app.generate.grounding import Grounding, ground
from app.types import Hit
from tests.fixtures.passages import a_chunk, a_hit, a_result

CARE = (
    "Descale the kettle every 3 months. Fill it with 0.5 l of water and one sachet (part no. NK-40), boil it, "
    "wait 15 minutes and rinse twice."
)
ERRORS = "Error E3: the lid is open. Error E4: no water in the tank, fill at least 0.3 l."
PFLEGE = "每 3 个月除垢一次。加入 0.5 升水和一包除垢剂（部件号 NK-40），煮沸后等待 15 分钟。"


def check(question: str, answer: str, *texts: str, hits: tuple[Hit, ...] | None = None) -> Grounding:
    found = hits if hits is not None else a_result(*texts).hits
    return ground(question, answer, select_passages(question, found, 800))


def test_a_statement_of_the_manual_is_grounded_with_its_exact_quote_and_page() -> None:
    result = check("What does error E3 mean?", "E3 means that the lid is open.", CARE, ERRORS)
    (sentence,) = result.sentences
    assert sentence.grounded
    (citation,) = result.citations
    assert citation.quote in ERRORS
    assert "Error E3: the lid is open." in citation.quote
    assert (citation.page, citation.chunk_id, citation.document_name) == (2, "c2", "Norva T2 Kettle")


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("How often must the kettle be descaled?", "Every 2 months."),
        ("How often must the kettle be descaled?", "Descale it every 3 weeks and wait 20 minutes."),
        ("What does error E4 mean?", "E5 means no water in the tank."),
        ("Which part number has the descaler sachet?", "The sachet has part number NK-41."),
        ("How much water for descaling?", "Fill it with 0.5 ml of water."),
        ("What does error E3 mean?", "The pump motor is overheated and needs service."),
    ],
)
def test_a_wrong_number_unit_code_or_statement_is_withheld(question: str, answer: str) -> None:
    result = check(question, answer, CARE, ERRORS)
    assert result.citations == ()
    assert result.withheld == (answer,)
    assert all(sentence.reason for sentence in result.sentences)


def test_only_the_sentence_that_fails_is_withheld() -> None:
    result = check("How do I descale the kettle?", "Boil it and wait 15 minutes. Use sachet NK-99.", CARE)
    assert [sentence.grounded for sentence in result.sentences] == [True, False]
    assert result.withheld == ("Use sachet NK-99.",)


@pytest.mark.parametrize(
    "answer", ["15 minutes", "15 min.", "- Wait 15 minutes.", "1. Wait 15 minutes", "0.5 l", "NK-40"]
)
def test_short_answers_and_list_items_are_tied_to_their_place(answer: str) -> None:
    result = check("How long must the descaler sachet stay in the kettle with water?", answer, ERRORS, CARE)
    assert result.sentences[0].grounded, result.sentences[0].reason
    assert result.citations[0].chunk_id == "c2"


def test_a_number_of_the_question_may_be_repeated() -> None:
    question = "After 6 months, should the kettle have been descaled?"
    result = check(question, "Yes, descale the kettle every 3 months, so after 6 months it is due.", CARE)
    assert result.sentences[0].grounded, result.sentences[0].reason


def test_chinese_answers_are_checked_the_same_way() -> None:
    right = check("多久除垢一次？", "每 3 个月除垢一次。", PFLEGE)
    wrong = check("多久除垢一次？", "每 6 个月除垢一次。", PFLEGE)
    assert right.sentences[0].grounded
    assert right.citations[0].quote == "每 3 个月除垢一次。"
    assert not wrong.sentences[0].grounded


def test_a_true_sentence_about_something_else_is_withheld() -> None:
    question = "Which wireless frequency band and password does the remote controller use?"
    result = check(question, "Descale the kettle every 3 months.", CARE)
    assert not result.sentences[0].grounded


def test_a_number_in_another_passage_does_not_carry_a_code_that_no_passage_has() -> None:
    result = check("What does error E3 mean?", "E3 means that fuse F15 is blown.", CARE, ERRORS)
    assert not result.sentences[0].grounded


def test_a_statement_made_of_two_passages_cites_both() -> None:
    answer = "Wait 15 minutes and rinse twice. E4 means no water in the tank."
    result = check("What is E4 and how long must I wait when I descale?", answer, CARE, ERRORS)
    assert all(sentence.grounded for sentence in result.sentences)
    assert {citation.chunk_id for citation in result.citations} == {"c1", "c2"}


def test_a_quote_over_a_page_border_is_cut_to_its_larger_part() -> None:
    text = "Wait until\nthe green lamp of the descaling program stops blinking after 15 minutes."
    hit = a_hit(a_chunk(text, pages=((0, 7), (11, 8))))
    result = check("When does the green lamp stop blinking?", "After 15 minutes the green lamp stops.", hits=(hit,))
    (citation,) = result.citations
    assert citation.page == 8
    assert citation.quote == text[11:]


def test_a_yes_needs_a_passage_with_the_questions_own_words() -> None:
    assert check("Must I descale the kettle every 3 months?", "Yes.", CARE).sentences[0].grounded
    assert not check("Can the kettle be paired over Bluetooth?", "Yes.", CARE).sentences[0].grounded


def test_without_passages_nothing_is_grounded() -> None:
    result = ground("What is E3?", "The lid is open.", ())
    assert result.withheld == ("The lid is open.",)


def test_the_question_again_is_no_answer_but_one_of_its_choices_is() -> None:
    asked = "Which low-bandwidth uses is the eco boiling mode suited for?"
    text = "The eco boiling mode is suited for low-bandwidth uses such as LoRa."
    echo = check(asked, "The eco boiling mode is suited for low-bandwidth uses.", text)
    assert [sentence.reason for sentence in echo.sentences] == ["it only repeats the question"]
    assert echo.citations == ()
    assert check(asked, "For low-bandwidth uses such as LoRa.", text).citations
    choice = "The lid lamp is green while the kettle boils."
    assert check("Is the lid lamp red or green while the kettle boils?", "Green.", choice).citations
    assert check("Is the lid lamp green while the kettle boils?", "Yes, the lid lamp is green.", choice).citations


def test_the_row_of_another_code_carries_nothing() -> None:
    rows = "F-04 Coolant leaks: switch off and call service.\nF-05 Fan blocked: check the outlet, clean the filter."
    result = check("What shall I do about F-04?", "- Switch off and call service.\n- Clean the filter.", rows)
    assert [sentence.grounded for sentence in result.sentences] == [True, False]
    outputs = "From -5 V to +5 V goes the output PV1.\nFrom -3.3 V to +3.3 V goes the output PV2."
    assert not check("To which voltages can PV2 be set?", "-5 V to +5 V.", outputs).citations
    assert check("To which voltages can PV2 be set?", "-3.3 V to +3.3 V.", outputs).citations


def test_a_path_that_the_question_has_not_is_an_answer_and_no_echo() -> None:
    grounding = check("Which root folder does WebNet use?", "WebNet uses the root folder /webnet.", "Root: /webnet")
    assert grounding.sentences[0].reason != "it only repeats the question"


def test_an_answer_that_says_the_question_again_makes_no_other_number_true() -> None:
    text = "CCS: a constant current source of 1.1 mA."
    asked = "Which maximum current may the heated bed output carry?"
    said = "The maximum current that the heated bed output may carry is 1.1 mA."
    assert check(asked, said, text).citations == ()


ROWS = (
    "The function connect ends with one of these values.\n"
    "value\tmeaning\n0\tdone\n-1\tno route found\n-2\tpeer gave no answer\n"
)


def test_the_row_of_another_number_that_is_asked_for_as_a_code_carries_nothing() -> None:
    question = "What does it mean when connect returns -2?"
    assert check(question, "The peer gave no answer.", ROWS).sentences[0].grounded
    assert not check(question, "No route was found.", ROWS).sentences[0].grounded


def test_a_row_that_the_model_quoted_brings_its_number() -> None:
    text = (
        "AT+NET\nFunction: sends requests to a server of the web.\nverb: one of these\n"
        "0\thttp get\n1\t-\n2\thttp post\n"
    )
    question = "Which verb makes AT+NET send a POST request?"
    passages = select_passages(question, a_result(text).hits, 800)
    answer = "For a POST request with AT+NET the verb is 2."
    quoted = "verb: one of these\n0\thttp get\n1\t-\n2\thttp post"
    assert ground(question, answer, passages, quoted).sentences[0].grounded
    assert not ground(question, answer, passages, quoted.replace("post", "put")).sentences[0].grounded
    assert not ground(question, answer.replace("2", "7"), passages, quoted).sentences[0].grounded


def test_a_chinese_answer_is_about_the_question_by_its_words() -> None:
    text = "备注：使用 httpc 指令前需要打开 socket 主动上报功能 AT+SKRPTM=1。"
    question = "调用 HTTP 客户端指令之前，必须先执行哪条指令打开主动上报？"
    assert check(question, "必须先执行 AT+SKRPTM=1 打开主动上报。", text, PFLEGE).sentences[0].grounded


def test_what_another_one_does_is_no_proof() -> None:
    text = "The Scorched cassette setting adds wow and flutter. The Cold digital setting is clean."
    question = "Which quality setting adds wow and flutter?"
    assert check(question, "The Scorched cassette setting adds wow and flutter.", text).sentences[0].grounded
    assert not check(question, "The Frozen analogue setting adds wow and flutter.", text).sentences[0].grounded
