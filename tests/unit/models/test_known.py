"""The pins hold together."""

from __future__ import annotations

import re

import pytest

from app.models.known import KNOWN, E5Wheel, FolderWheel, KnownModel, SlicedWheels, Wheel
from app.settings import Settings

SHA256 = re.compile(r"[0-9a-f]{64}")


def wheels(model: KnownModel) -> list[Wheel]:
    found = []
    for source in model.sources:
        if isinstance(source, SlicedWheels):
            found += [piece.wheel for piece in source.slices]
        elif isinstance(source, FolderWheel | E5Wheel):
            found.append(source.wheel)
    return found


@pytest.mark.parametrize("model", KNOWN.values(), ids=list(KNOWN))
def test_every_part_of_a_model_is_pinned_on_its_own(model: KnownModel) -> None:
    assert wheels(model), "no source without a hub"
    pins = [file.sha256 for file in model.files] + [wheel.sha256 for wheel in wheels(model)]
    assert all(SHA256.fullmatch(pin) for pin in pins)
    assert len(set(pins)) == len(pins)
    assert all(re.fullmatch(r"\d+\.\d+\.\d+", wheel.version) for wheel in wheels(model))


@pytest.mark.parametrize("model", KNOWN.values(), ids=list(KNOWN))
def test_slices_are_in_order_and_add_up_to_their_file(model: KnownModel) -> None:
    sizes = {file.path: file.size for file in model.files}
    for source in model.sources:
        if isinstance(source, SlicedWheels):
            assert sum(piece.size for piece in source.slices) == sizes[source.file]
            numbers = [int(re.findall(r"\d+", piece.member)[-1]) for piece in source.slices]
            assert numbers == list(range(1, len(numbers) + 1))
            assert all(piece.size > 0 for piece in source.slices)


@pytest.mark.parametrize("model", KNOWN.values(), ids=list(KNOWN))
def test_paths_stay_inside_the_folder_and_the_entry_is_a_file(model: KnownModel) -> None:
    paths = [file.path for file in model.files]
    assert all(re.fullmatch(r"\w[\w.-]*(/\w[\w.-]*)*", path) for path in paths)
    assert model.entry in ("", *paths)
    assert (model.entry == "") == (model.kind == "embedder")


def test_the_default_settings_name_known_models() -> None:
    assert KNOWN[Settings().embedder].kind == "embedder"
    assert KNOWN[Settings().llm_model].kind == "llm"
