"""Servers of a scaled-out set-up."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.fixtures.s3_server import S3Server, an_s3_server


@pytest.fixture(scope="session")
def storage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    with an_s3_server(tmp_path_factory.mktemp("s3") / "server") as server:
        yield server
