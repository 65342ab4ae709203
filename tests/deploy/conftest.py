"""What the tests of a deployment share."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.deploy.environment import tools


@pytest.fixture(scope="session")
def tool_folder() -> Path:
    """The folder of the programs that look at the files."""
    return tools()
