"""The queue before the model: bounded, in order, users first, nobody for ever, and nothing lost by who leaves."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import anyio
import pytest

from app.errors import ModelBusy
from app.generate.model_queue import ModelQueue, Patience, patience

LONG = 60.0


class Caller:
    """Calls the model until it is told to end."""

    def __init__(self, queue: ModelQueue, kind: Patience = Patience.USER) -> None:
        self.began, self.end = asyncio.Event(), asyncio.Event()
        with patience(kind):
            self.task = asyncio.create_task(self._call(queue))

    async def _call(self, queue: ModelQueue) -> None:
        async with queue.place():
            self.began.set()
            await self.end.wait()

    async def ended(self) -> None:
        self.end.set()
        await self.task

    async def left(self) -> None:
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)


async def settled() -> None:
    """Everything that can go on has gone on."""
    for _ in range(20):
        await asyncio.sleep(0)


def run(test: Callable[[], Awaitable[None]]) -> None:
    async def bounded() -> None:
        with anyio.fail_after(30):
            await test()

    asyncio.run(bounded())


def test_so_many_at_once_and_the_others_in_their_order() -> None:
    async def test() -> None:
        queue = ModelQueue(2, LONG)
        callers = []
        for _ in range(5):
            callers.append(Caller(queue))
            await settled()
        assert [one.began.is_set() for one in callers] == [True, True, False, False, False]
        assert (queue.running, queue.waiting) == (2, 3)
        await callers[1].ended()
        await settled()
        assert [one.began.is_set() for one in callers] == [True, True, True, False, False]
        for one in (callers[0], *callers[2:]):
            await one.ended()
        assert (queue.running, queue.waiting) == (0, 0)

    run(test)


def test_users_go_before_the_background_which_leaves_them_a_place() -> None:
    async def test() -> None:
        queue = ModelQueue(2, LONG)
        first, second = Caller(queue, Patience.BACKGROUND), Caller(queue, Patience.BACKGROUND)
        await settled()
        assert (first.began.is_set(), second.began.is_set()) == (True, False)
        user, other = Caller(queue), Caller(queue)
        await settled()
        assert (user.began.is_set(), other.began.is_set()) == (True, False)
        await first.ended()
        await settled()
        assert (other.began.is_set(), second.began.is_set()) == (True, False)
        await user.ended()
        await settled()
        assert second.began.is_set()
        await other.ended()
        await second.ended()
        assert queue.running == 0

    run(test)


def test_the_background_goes_first_once_it_has_waited_as_long_as_a_user_may() -> None:
    async def test() -> None:
        queue = ModelQueue(1, 0.05)
        running, patient = Caller(queue), None
        await running.began.wait()
        patient = Caller(queue, Patience.BACKGROUND)
        late = Caller(queue)
        with pytest.raises(ModelBusy):
            await late.task
        user = Caller(queue)
        await settled()
        await running.ended()
        await patient.began.wait()
        assert not user.began.is_set()
        await patient.ended()
        await asyncio.gather(user.ended(), return_exceptions=True)  # on a busy machine its time may be over

    run(test)


def test_who_cannot_wait_is_told_at_once() -> None:
    async def test() -> None:
        queue = ModelQueue(1, LONG)
        running = Caller(queue)
        await running.began.wait()
        with pytest.raises(ModelBusy):
            await Caller(queue, Patience.NONE).task
        await running.ended()
        await Caller(queue, Patience.NONE).ended()

    run(test)


def test_who_leaves_gives_up_the_place_in_line_and_the_one_just_given() -> None:
    async def test() -> None:
        queue = ModelQueue(1, LONG)
        running, leaving, next_one = Caller(queue), Caller(queue), Caller(queue)
        await settled()
        await leaving.left()
        assert (queue.running, queue.waiting) == (1, 1)
        just_called = next_one
        await settled()
        running.end.set()
        just_called.task.cancel()  # in the same round in which it gets its place
        await asyncio.gather(running.task, just_called.task, return_exceptions=True)
        last = Caller(queue)
        await last.began.wait()
        await last.ended()
        assert (queue.running, queue.waiting) == (0, 0)

    run(test)
