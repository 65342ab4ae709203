"""Turns: passages one batch at a time in the order of asking, questions ahead of them."""

import gc
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch

from app.retrieve.embed import SentenceTransformerEmbedder
from app.retrieve.prefixes import Prefixes
from app.retrieve.turns import Turns
from tests.fixtures.tiny_embedder import make_tiny_embedder

LONG = 60.0
"""Seconds after which a test gives up on what must come."""
MOMENT = 0.3
"""Seconds for what must not come."""


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + LONG
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.001)


def queue_holds(turns: Turns, count: int) -> bool:
    return turns._reading._jobs.qsize() == count


@pytest.fixture
def turns() -> Turns:
    return Turns(patience_seconds=LONG)


def test_passages_take_turns_in_the_order_of_asking(turns: Turns) -> None:
    order: list[str] = []
    running, release = threading.Event(), threading.Event()

    def first() -> None:
        running.set()
        assert release.wait(LONG)

    with ThreadPoolExecutor(4) as pool:
        pool.submit(turns.passages, first)
        until(running.is_set)
        for waiting, name in enumerate("abc"):
            pool.submit(turns.passages, partial(order.append, name))
            until(partial(queue_holds, turns, waiting + 1))
        release.set()
    assert order == ["a", "b", "c"]


def test_passages_stand_aside_for_a_question_in_the_middle_of_their_turn(turns: Turns) -> None:
    begun, asked, half_way, whole = (threading.Event() for _ in range(4))

    def reading() -> None:
        begun.set()
        assert asked.wait(LONG)
        half_way.set()
        turns.stand_aside()
        whole.set()

    def question() -> bool:
        asked.set()
        assert half_way.wait(LONG)
        return whole.wait(MOMENT)

    with ThreadPoolExecutor(2) as pool:
        read = pool.submit(turns.passages, reading)
        assert begun.wait(LONG)
        assert not pool.submit(turns.question, question).result()
        read.result()
    assert whole.is_set()


def test_a_turn_does_not_begin_while_a_question_is_in(turns: Turns) -> None:
    asked, begun = threading.Event(), threading.Event()

    def question() -> bool:
        asked.set()
        return begun.wait(MOMENT)

    with ThreadPoolExecutor(2) as pool:
        answer = pool.submit(turns.question, question)
        assert asked.wait(LONG)
        read = pool.submit(turns.passages, begun.set)
        assert not answer.result()
        read.result()


def test_questions_without_end_do_not_stop_passages() -> None:
    turns = Turns(patience_seconds=0.3)
    asked, whole = threading.Event(), threading.Event()

    def question() -> bool:
        asked.set()
        return whole.wait(LONG)

    def reading() -> None:
        for _ in range(100):
            turns.stand_aside()
        whole.set()

    with ThreadPoolExecutor(2) as pool:
        answer = pool.submit(turns.question, question)
        assert asked.wait(LONG)
        started = time.monotonic()
        turns.passages(reading)
        assert time.monotonic() - started < 20  # not 30: the patience is that of the whole turn, not of each pause
        assert answer.result()


def test_an_error_reaches_its_asker_and_the_next_turn_comes(turns: Turns) -> None:
    for ask in (turns.question, turns.passages):
        with pytest.raises(ZeroDivisionError):
            ask(lambda: 1 / 0)
        assert ask(lambda: 5) == 5


def test_the_threads_end_with_their_owner() -> None:
    turns = Turns()
    threads = [turns.question(threading.current_thread), turns.passages(threading.current_thread)]
    assert len(set(threads)) == 2
    del turns
    gc.collect()
    for thread in threads:
        thread.join(LONG)
        assert not thread.is_alive()


@pytest.fixture
def embedder(tmp_path: Path) -> SentenceTransformerEmbedder:
    folder = make_tiny_embedder(tmp_path)
    return SentenceTransformerEmbedder("tiny", "r1", folder, Prefixes("query: ", "passage: "), batch=1)


def on_batch(embedder: SentenceTransformerEmbedder, kind: str, look: Callable[[int], None]) -> None:
    """Has `look` called before each batch of `kind`, in its thread, with the tokens in the batch."""

    def hook(_: object, features: tuple[dict[str, torch.Tensor]]) -> None:
        if threading.current_thread().name == kind:
            look(int(features[0]["attention_mask"].sum()))

    embedder.load()._layers[0].register_forward_pre_hook(hook)


def test_a_question_runs_as_a_graph_and_its_vector_is_the_same(
    embedder: SentenceTransformerEmbedder, monkeypatch: pytest.MonkeyPatch
) -> None:
    embedder.embed_queries(["ink"])
    layer_by_layer: list[int] = []
    on_batch(embedder, "questions", layer_by_layer.append)
    vector = embedder.embed_queries(["ink"])
    assert layer_by_layer == []
    monkeypatch.setattr("app.retrieve.graphs.MOST_WIDTH", 0)
    assert np.array_equal(embedder.embed_queries(["ink"]), vector)
    assert len(layer_by_layer) == 1


def test_a_question_waits_for_no_batch(embedder: SentenceTransformerEmbedder, monkeypatch: pytest.MonkeyPatch) -> None:
    """It comes in the middle of a batch of a long window, and is answered before that batch ends."""
    monkeypatch.setattr("app.retrieve.graphs.MOST_WIDTH", 0)  # a graph would pass by what hooks a layer
    batches: list[int] = []
    overtaken: list[bool] = []
    ended = threading.Event()
    asking = threading.Thread(target=lambda: embedder.embed_queries(["ink"]))

    def reading(tokens: int) -> None:
        batches.append(tokens)
        if len(batches) == 3:
            asking.start()
            until(lambda: embedder._turns._questions == 1)

    def batch_ended(*_: object) -> None:
        if threading.current_thread().name == "passages" and len(batches) == 3:
            ended.set()

    on_batch(embedder, "passages", reading)
    on_batch(embedder, "questions", lambda _: overtaken.append(ended.wait(MOMENT)))
    embedder.load()._layers[0].register_forward_hook(batch_ended)
    embedder.embed_passages(["ink"] * 20)
    asking.join(LONG)
    assert overtaken == [False]
    assert len(batches) == 20


def test_windows_of_two_threads_are_read_by_turns(embedder: SentenceTransformerEmbedder) -> None:
    """A short window that comes second is not made to wait for a long one."""
    batches: list[int] = []
    other = threading.Thread(target=lambda: embedder.embed_passages(["printer"] * 5))

    def look(tokens: int) -> None:
        batches.append(tokens)
        if len(batches) == 1:
            other.start()
            until(partial(queue_holds, embedder._turns, 1))

    on_batch(embedder, "passages", look)
    embedder.embed_passages(["ink"] * 100)
    other.join(LONG)
    last = len(batches) - 1 - batches[::-1].index(len("passage: printer") + 2)
    assert batches.count(len("passage: printer") + 2) == 5
    assert last < 60


def test_nobody_reads_side_by_side(embedder: SentenceTransformerEmbedder) -> None:
    threads: set[int] = set()
    embedder.load()._layers[0].register_forward_pre_hook(lambda *_: threads.add(threading.get_ident()))
    with ThreadPoolExecutor(3) as pool:
        list(pool.map(embedder.embed_passages, [["ink"] * 5] * 3))
    assert len(threads) == 1
