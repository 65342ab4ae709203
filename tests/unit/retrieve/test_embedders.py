"""Each index gets the very embedder that built it, or none."""

from __future__ import annotations

import pytest

from app.errors import EmbedderUnavailable, FingerprintMismatch, WeightsMissing
from app.ports import Embedder
from app.retrieve.embedders import Embedders
from app.text.tokens import TOKENS_VERSION
from app.types import Fingerprint
from tests.fixtures.embedders import WordEmbedder


class OlderEmbedder(WordEmbedder):
    fingerprint = "older/words@7"


def built_with(embedder: str, dimensions: int = 128, tokens: str = TOKENS_VERSION) -> Fingerprint:
    return Fingerprint(embedder, dimensions, 1000, 100, tokens)


class Shelf:
    """Opens embedders by name and notes which were asked for."""

    def __init__(self, error: Exception | None = None) -> None:
        self.asked: list[str] = []
        self.error = error

    def open(self, name: str) -> Embedder:
        self.asked.append(name)
        if self.error is not None:
            raise self.error
        return OlderEmbedder()


def test_the_running_one_is_used_where_it_built_the_index() -> None:
    running, shelf = WordEmbedder(), Shelf()
    embedders = Embedders(running, shelf.open)
    assert embedders.for_index(built_with("words@1")) is running
    assert embedders.named("words") is running
    assert shelf.asked == []


def test_an_older_one_is_opened_once_by_name() -> None:
    shelf = Shelf()
    embedders = Embedders(WordEmbedder(), shelf.open)
    first = embedders.for_index(built_with("older/words@7"))
    assert embedders.for_index(built_with("older/words@7")) is first
    assert (first.fingerprint, shelf.asked) == ("older/words@7", ["older/words"])
    assert embedders.named("older/words") is first


@pytest.mark.parametrize("wanted", [built_with("older/words@8"), built_with("older/words@7", dimensions=64)])
def test_another_revision_or_other_dimensions_are_refused(wanted: Fingerprint) -> None:
    with pytest.raises(FingerprintMismatch) as caught:
        Embedders(WordEmbedder(), Shelf().open).for_index(wanted)
    assert (caught.value.params["built_with"], caught.value.params["running"]) == (wanted.embedder, "words@1")


def test_other_tokens_are_refused_before_anything_is_opened() -> None:
    shelf = Shelf()
    with pytest.raises(FingerprintMismatch, match="tokens-0"):
        Embedders(WordEmbedder(), shelf.open).for_index(built_with("words@1", tokens="tokens-0"))
    assert shelf.asked == []


def test_missing_weights_are_a_mismatch_for_an_index_and_themselves_for_a_rebuild() -> None:
    embedders = Embedders(WordEmbedder(), Shelf(WeightsMissing(name="older/words")).open)
    with pytest.raises(FingerprintMismatch):
        embedders.for_index(built_with("older/words@7"))
    with pytest.raises(WeightsMissing):
        embedders.named("older/words")


def test_one_that_is_away_is_tried_again() -> None:
    shelf = Shelf(EmbedderUnavailable(reason="its files could not be loaded"))
    embedders = Embedders(WordEmbedder(), shelf.open)
    with pytest.raises(EmbedderUnavailable):
        embedders.for_index(built_with("older/words@7"))
    shelf.error = None
    assert embedders.for_index(built_with("older/words@7")).fingerprint == "older/words@7"
