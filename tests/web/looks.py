"""In which looks a module's tests are run."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.web.browser import Look


def looks(*chosen: Look) -> Callable[[pytest.FixtureRequest], Look]:
    """The fixture `look`: each test is run once in each of the chosen ones."""

    @pytest.fixture(params=chosen, ids=str, name="look")
    def look(request: pytest.FixtureRequest) -> Look:
        one: Look = request.param
        return one

    return look
