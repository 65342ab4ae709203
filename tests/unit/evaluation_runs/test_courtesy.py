"""Users' questions go first, but not for ever."""

from __future__ import annotations

import anyio
import pytest

from app.evaluation.courtesy import Courtesy

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def test_an_evaluation_waits_until_the_last_user_has_gone() -> None:
    courtesy = Courtesy(longest_seconds=60)
    order: list[str] = []

    async def evaluation() -> None:
        await courtesy.quiet()
        order.append("evaluation")

    async with anyio.create_task_group() as group:
        with courtesy.user():
            with courtesy.user():
                group.start_soon(evaluation)
                await anyio.wait_all_tasks_blocked()
            order.append("first user")
            await anyio.wait_all_tasks_blocked()
            order.append("last user")
    assert order == ["first user", "last user", "evaluation"]


async def test_an_evaluation_waits_again_for_the_next_user() -> None:
    courtesy = Courtesy(longest_seconds=60)
    with courtesy.user():
        pass
    await courtesy.quiet()
    with courtesy.user(), anyio.move_on_after(0.01) as scope:
        await courtesy.quiet()
    assert scope.cancelled_caught


async def test_no_stream_of_users_starves_it() -> None:
    courtesy = Courtesy(longest_seconds=0.01)
    with courtesy.user(), anyio.fail_after(30):
        await courtesy.quiet()
