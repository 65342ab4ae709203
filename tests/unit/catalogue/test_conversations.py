"""Conversations of keys: what is kept, who sees it, and what goes."""

from __future__ import annotations

import pytest

from app.catalogue.conversations import Conversations, Feedback, History, Outcome
from app.catalogue.records import KnowledgeBase
from app.errors import ConversationFull, ConversationNotFound, KnowledgeBaseNotFound, TurnNotFound
from app.types import (
    Answer,
    Chunk,
    Citation,
    Hit,
    RefusalReason,
    Scores,
    SearchResult,
    Sentence,
    Timings,
    TurnState,
)
from tests.fixtures.catalogues import Catalogue

CITATION = Citation("doc-1", "手册.pdf", "doc-1-g1-000000", 2, "E-04：水箱缺水。", 0.9)
ANSWER = Answer(
    "E-04 是什么意思？",
    "zh",
    "水箱缺水。",
    "generated",
    (Sentence("水箱缺水。", (CITATION,), grounded=True),),
    (CITATION,),
    refused=False,
    model="m",
    withheld=("也许 45 分钟。",),
    timings=Timings(0.1, 0.2, 0.3),
)
HIT = Hit(
    Chunk("doc-1-g1-000000", "doc-1", 0, "E-04：水箱缺水。", 7, ((0, 2), (5, 3)), ("故障",)),
    "手册.pdf",
    Scores(0.9, 0.03, 1, bm25=2.5, bm25_rank=1),
)
SOURCES = SearchResult((HIT,), (), 0.8, 0.05, ("What does E-04 mean?",))


@pytest.fixture
def base(catalogue: Catalogue) -> KnowledgeBase:
    return catalogue.base()


@pytest.fixture
def conversations(catalogue: Catalogue) -> Conversations:
    return Conversations(catalogue.sessions, History(conversations=3, turns=2))


def test_a_turn_is_kept_with_all_that_came_of_it(conversations: Conversations, base: KnowledgeBase) -> None:
    made = conversations.create(base.id, "key-1")
    assert (made.title, made.turns) == ("", 0)
    turn = conversations.begin(made.id, "key-1", "E-04 是\n什么意思？")
    assert (turn.state, turn.asked, turn.answer) == (TurnState.RUNNING, "E-04 是\n什么意思？", None)
    conversations.rewrite(turn.id, "水壶的 E-04 是什么意思？")
    conversations.end(turn.id, Outcome(TurnState.ANSWERED, ANSWER, SOURCES))
    kept = conversations.turn(turn.id, "key-1")
    assert (kept.state, kept.answer, kept.sources) == (TurnState.ANSWERED, ANSWER, SOURCES)
    assert (kept.asked, kept.knowledge_base_id) == ("水壶的 E-04 是什么意思？", base.id)
    assert conversations.turns(made.id, "key-1") == (kept,)
    found = conversations.get(made.id, "key-1")
    assert (found.title, found.turns, found.updated_at) == ("E-04 是 什么意思？", 1, turn.asked_at)


def test_a_refusal_is_kept_as_one(conversations: Conversations, base: KnowledgeBase) -> None:
    refusal = Answer(
        "?", "en", "No.", "refused", (), (), refused=True, reason=RefusalReason.BELOW_THRESHOLD, doubt=0.5, quoted=False
    )
    turn = conversations.begin(conversations.create(base.id, "key-1").id, "key-1", "?")
    conversations.end(turn.id, Outcome(TurnState.ANSWERED, refusal))
    kept = conversations.turn(turn.id, "key-1").answer
    assert kept == refusal
    assert kept is not None
    assert kept.reason is RefusalReason.BELOW_THRESHOLD


def test_a_turn_ends_once(conversations: Conversations, base: KnowledgeBase) -> None:
    turn = conversations.begin(conversations.create(base.id, "key-1").id, "key-1", "Why?")
    conversations.end(turn.id, Outcome(TurnState.STOPPED, None, SOURCES, written="Because"))
    conversations.end(turn.id, Outcome(TurnState.FAILED, error_code="not_ready"))
    kept = conversations.turn(turn.id, "key-1")
    assert (kept.state, kept.sources, kept.written, kept.error_code) == (TurnState.STOPPED, SOURCES, "Because", None)


def test_to_every_other_key_nothing_is_there(conversations: Conversations, base: KnowledgeBase) -> None:
    made = conversations.create(base.id, "key-1")
    turn = conversations.begin(made.id, "key-1", "Why?")
    assert conversations.list(base.id, "local", 10, 0) == []
    for call in (
        lambda: conversations.get(made.id, "local"),
        lambda: conversations.turns(made.id, "local"),
        lambda: conversations.begin(made.id, "local", "And now?"),
        lambda: conversations.remove(made.id, "local"),
    ):
        with pytest.raises(ConversationNotFound):
            call()
    for call in (
        lambda: conversations.turn(turn.id, "local"),
        lambda: conversations.rate(turn.id, "local", Feedback("up")),
        lambda: conversations.turn("turn-none", "key-1"),
    ):
        with pytest.raises(TurnNotFound):
            call()
    assert conversations.turn(turn.id, "key-1").feedback is None


def test_lists_begin_with_the_last_used(conversations: Conversations, catalogue: Catalogue) -> None:
    base, other = catalogue.base("one"), catalogue.base("other")
    first, second = conversations.create(base.id, "key-1"), conversations.create(base.id, "key-1")
    conversations.create(other.id, "key-1")
    conversations.begin(first.id, "key-1", "Why?")
    assert [found.id for found in conversations.list(base.id, "key-1", 10, 0)] == [first.id, second.id]
    assert [found.turns for found in conversations.list(base.id, "key-1", 10, 0)] == [1, 0]
    assert [found.id for found in conversations.list(base.id, "key-1", 10, 1)] == [second.id]


def test_only_so_many_are_kept_of_a_key(conversations: Conversations, base: KnowledgeBase) -> None:
    others = conversations.create(base.id, "key-2")
    made = [conversations.create(base.id, "key-1") for _ in range(3)]
    conversations.begin(made[0].id, "key-1", "Used last")
    new = conversations.create(base.id, "key-1")
    kept = {found.id for found in conversations.list(base.id, "key-1", 10, 0)}
    assert kept == {made[0].id, made[2].id, new.id}
    assert conversations.get(others.id, "key-2")


def test_a_conversation_takes_only_so_many_turns(conversations: Conversations, base: KnowledgeBase) -> None:
    made = conversations.create(base.id, "key-1")
    asked = [conversations.begin(made.id, "key-1", text) for text in ("one", "two")]
    with pytest.raises(ConversationFull):
        conversations.begin(made.id, "key-1", "three")
    assert [turn.question for turn in conversations.turns(made.id, "key-1")] == ["one", "two"]
    assert [turn.id for turn in conversations.turns(made.id, "key-1", last=1)] == [asked[1].id]


def test_what_a_killed_server_left_is_stopped(conversations: Conversations, base: KnowledgeBase) -> None:
    made = conversations.create(base.id, "key-1")
    done, left = (conversations.begin(made.id, "key-1", text) for text in ("one", "two"))
    conversations.end(done.id, Outcome(TurnState.ANSWERED, ANSWER))
    conversations.stop_running()
    assert conversations.turn(left.id, "key-1").state is TurnState.STOPPED
    assert conversations.turn(done.id, "key-1").state is TurnState.ANSWERED


def test_feedback_is_kept_changed_and_taken_back(conversations: Conversations, base: KnowledgeBase) -> None:
    turn = conversations.begin(conversations.create(base.id, "key-1").id, "key-1", "Why?")
    for feedback in (Feedback("up"), Feedback("down", "<b>wrong page</b>"), None):
        conversations.rate(turn.id, "key-1", feedback)
        assert conversations.turn(turn.id, "key-1").feedback == feedback


def test_a_knowledge_base_takes_its_conversations_with_it(catalogue: Catalogue, conversations: Conversations) -> None:
    base = catalogue.base()
    made = conversations.create(base.id, "key-1")
    turn = conversations.begin(made.id, "key-1", "Why?")
    catalogue.bases.hide(base.id)
    with pytest.raises(ConversationNotFound):
        conversations.get(made.id, "key-1")
    with pytest.raises(TurnNotFound):
        conversations.turn(turn.id, "key-1")
    with pytest.raises(KnowledgeBaseNotFound):
        conversations.create(base.id, "key-1")
    catalogue.bases.forget(base.id)
    with catalogue.engine.connect() as connection:
        for table in ("conversations", "turns"):
            assert connection.exec_driver_sql(f"SELECT count(*) FROM {table}").scalar_one() == 0  # noqa: S608


def test_removing_one_leaves_the_others(conversations: Conversations, base: KnowledgeBase) -> None:
    gone, stays = conversations.create(base.id, "key-1"), conversations.create(base.id, "key-1")
    turn = conversations.begin(gone.id, "key-1", "Why?")
    conversations.remove(gone.id, "key-1")
    with pytest.raises(TurnNotFound):
        conversations.turn(turn.id, "key-1")
    conversations.end(turn.id, Outcome(TurnState.STOPPED))
    assert [found.id for found in conversations.list(base.id, "key-1", 10, 0)] == [stays.id]
