"""What answers for a knowledge base: shares, rolling back, history, and what askers thought of each side."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from app.catalogue.adapters import AdapterRows, NewAdapter, new_adapter_id
from app.catalogue.conversations import Conversations, Feedback, History, Outcome, Verdict
from app.catalogue.database import Sessions, open_database
from app.catalogue.knowledge_bases import KnowledgeBases
from app.catalogue.promotions import Arm, NewPromotion, Promotion, Promotions
from app.catalogue.records import KnowledgeBaseSettings
from app.errors import AdapterNotFound, AdapterPromoted, AdapterRetired, KnowledgeBaseNotFound, NothingToRollBack
from app.types import Answer, Fingerprint, PromptKind, TurnState


@dataclass
class Catalogue:
    sessions: Sessions
    base: str

    def __post_init__(self) -> None:
        self.rows, self.promotions = AdapterRows(self.sessions), Promotions(self.sessions)

    def adapter(self, name: str) -> str:
        new = NewAdapter(name, "tiny", "0", 4, 10, "ab" * 32, PromptKind.SHORT)
        return self.rows.add(new_adapter_id(), new, 100).id

    def promote(self, adapter: str, share: int = 100) -> Promotion:
        return self.promotions.promote(NewPromotion(self.base, adapter, share, "key-1"))

    def answering(self) -> tuple[str | None, str | None, int]:
        present = self.promotions.present(self.base)
        assert present is not None
        return present.adapter_id, present.previous_id if present.share < 100 else None, present.share


@pytest.fixture(scope="module")
def sessions(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sessions]:
    folder: Path = tmp_path_factory.mktemp("promotions")
    database = open_database(folder)
    yield Sessions(database)
    database.dispose()


@pytest.fixture
def catalogue(sessions: Sessions, request: pytest.FixtureRequest) -> Catalogue:
    bases = KnowledgeBases(sessions)
    made = bases.create(str(request.node.name)[:100], Fingerprint("words", 8, 1000, 100, "1"), KnowledgeBaseSettings())
    return Catalogue(sessions, made.id)


def name(test: pytest.FixtureRequest, number: int) -> str:
    return f"{test.node.name} {number}"


def test_a_base_without_promotions_has_the_model_alone(catalogue: Catalogue) -> None:
    assert catalogue.promotions.present(catalogue.base) is None
    assert catalogue.promotions.history(catalogue.base) == []
    with pytest.raises(NothingToRollBack):
        catalogue.promotions.roll_back(catalogue.base, "key-1", "")


def test_each_rollback_goes_one_further_back(catalogue: Catalogue, request: pytest.FixtureRequest) -> None:
    one, two, three = (catalogue.adapter(name(request, number)) for number in range(3))
    catalogue.promote(one)
    catalogue.promote(two, 30)
    assert catalogue.answering() == (two, one, 30)
    catalogue.promote(two, 100)
    catalogue.promote(three)
    back = catalogue.promotions.roll_back
    for expected in ((two, None, 100), (two, one, 30), (one, None, 100), (None, None, 100)):
        made = back(catalogue.base, "key-2", "worse")
        assert (made.kind, made.by, made.reason) == ("rollback", "key-2", "worse")
        assert catalogue.answering() == expected
    with pytest.raises(NothingToRollBack):
        back(catalogue.base, "key-2", "")
    history = catalogue.promotions.history(catalogue.base)
    assert [one.number for one in history] == list(range(8, 0, -1))
    catalogue.promote(one)
    back(catalogue.base, "key-2", "")
    assert catalogue.answering() == (None, None, 100)


def test_the_rest_of_a_share_goes_to_what_answered_before(catalogue: Catalogue, request: pytest.FixtureRequest) -> None:
    one, two, three = (catalogue.adapter(name(request, number)) for number in range(3))
    assert catalogue.promote(one, 20).previous_id is None
    assert catalogue.promote(one, 50).previous_id is None, "the share of the same adapter changes, not the other side"
    assert catalogue.promote(two, 20).previous_id is None, "what was on trial is not what answered before"
    catalogue.promote(one, 100)
    assert catalogue.promote(one, 50).previous_id is None, "an adapter is not compared with itself"
    catalogue.promote(one, 100)
    assert catalogue.promote(three, 50).previous_id == one


def test_a_retired_adapter_is_passed_over(catalogue: Catalogue, request: pytest.FixtureRequest) -> None:
    one, two = (catalogue.adapter(name(request, number)) for number in range(2))
    catalogue.promote(one)
    catalogue.promote(two)
    with pytest.raises(AdapterPromoted):
        catalogue.rows.retire(two)
    assert catalogue.rows.get(two).state == "promoted"
    assert catalogue.rows.get(one).state == "checked"
    catalogue.rows.retire(one)
    assert catalogue.promotions.roll_back(catalogue.base, "key-1", "").adapter_id is None
    catalogue.rows.retire(two)
    with pytest.raises(AdapterRetired):
        catalogue.promote(two)
    with pytest.raises(AdapterNotFound):
        catalogue.promote("ad-none")


def test_both_sides_of_a_share_are_promoted(catalogue: Catalogue, request: pytest.FixtureRequest) -> None:
    one, two = (catalogue.adapter(name(request, number)) for number in range(2))
    catalogue.promote(one)
    catalogue.promote(two, 10)
    assert {one, two} <= catalogue.promotions.answering()
    for adapter in (one, two):
        with pytest.raises(AdapterPromoted):
            catalogue.rows.retire(adapter)
    KnowledgeBases(catalogue.sessions).hide(catalogue.base)
    assert not {one, two} & catalogue.promotions.answering()
    assert catalogue.rows.retire(one).state == "retired"
    for call in (lambda: catalogue.promote(two), lambda: catalogue.promotions.roll_back(catalogue.base, "k", "")):
        with pytest.raises(KnowledgeBaseNotFound):
            call()


def test_what_is_rolled_back_to_is_to_be_hosted(catalogue: Catalogue, request: pytest.FixtureRequest) -> None:
    one, two = (catalogue.adapter(name(request, number)) for number in range(2))
    catalogue.promote(one)
    catalogue.promote(two)
    assert not catalogue.rows.get(one).hosted
    catalogue.promotions.roll_back(catalogue.base, "key-1", "")
    assert catalogue.rows.get(one).hosted


# --- the share ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("share", [1, 20, 50, 99])
def test_the_share_is_kept_over_many_questions(
    catalogue: Catalogue, request: pytest.FixtureRequest, share: int
) -> None:
    promotion = catalogue.promote(catalogue.adapter(name(request, 0)), share)
    questions = 20_000
    drawn = Counter(promotion.pick(f"question {number}", "key-1") for number in range(questions))
    expected, spread = questions * share / 100, (questions * share / 100 * (1 - share / 100)) ** 0.5
    assert abs(drawn[promotion.adapter_id] - expected) < 5 * spread


def test_a_question_gets_the_same_side_again(catalogue: Catalogue, request: pytest.FixtureRequest) -> None:
    adapter = catalogue.adapter(name(request, 0))
    promotion = catalogue.promote(adapter, 50)
    questions = [f"question {number}" for number in range(200)]
    first = [promotion.pick(question, "key-1") for question in questions]
    reread = catalogue.promotions.present(catalogue.base)
    assert reread is not None
    assert [reread.pick(f" {question}\n", "key-1") for question in questions] == first
    assert [promotion.pick(question, "key-2") for question in questions] != first, "askers are told apart"
    other = catalogue.promote(adapter, 50)
    assert [other.pick(question, "key-1") for question in questions] != first, "another promotion draws anew"


def test_a_whole_share_has_one_side(catalogue: Catalogue, request: pytest.FixtureRequest) -> None:
    promotion = catalogue.promote(catalogue.adapter(name(request, 0)))
    assert {promotion.pick(f"question {number}", "") for number in range(500)} == {promotion.adapter_id}


# --- feedback -----------------------------------------------------------------------------------------------------


def test_feedback_is_counted_by_side(catalogue: Catalogue, request: pytest.FixtureRequest) -> None:
    adapter = catalogue.adapter(name(request, 0))
    promotion = catalogue.promote(adapter, 50)
    conversations = Conversations(catalogue.sessions, History(10, 50))
    conversation = conversations.create(catalogue.base, "key-1").id

    def turn(written_with: str | None, promoted: str | None, verdict: Verdict | None) -> None:
        made = conversations.begin(conversation, "key-1", "What?")
        answer = Answer(
            "What?", "en", "That.", "generated", (), (), refused=False, adapter=written_with, promotion=promoted
        )
        conversations.end(made.id, Outcome(TurnState.ANSWERED, answer))
        if verdict is not None:
            conversations.rate(made.id, "key-1", Feedback(verdict))

    sides: list[tuple[str | None, Verdict | None]] = [
        (adapter, "up"),
        (adapter, "up"),
        (adapter, "down"),
        (adapter, None),
        (None, "down"),
        (None, None),
    ]
    for written_with, verdict in sides:
        turn(written_with, promotion.id, verdict)
    turn(adapter, None, "down")  # the asker chose it: it says nothing about the share
    turn(None, "pro-other", "down")
    unfinished = conversations.begin(conversation, "key-1", "What?")
    conversations.end(unfinished.id, Outcome(TurnState.STOPPED))
    arms = {arm.adapter_id: arm for arm in catalogue.promotions.arms([promotion.id])}
    assert arms == {
        adapter: Arm(promotion.id, adapter, answers=4, up=2, down=1),
        None: Arm(promotion.id, None, answers=2, up=0, down=1),
    }
