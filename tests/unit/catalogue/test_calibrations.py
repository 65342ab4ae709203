"""Calibrations in the catalogue: one for each knowledge base, bound to its index and, for doubt, to the model."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from app.catalogue.calibrations import Calibration, Calibrations, Fault, NewCalibration
from app.errors import CalibrationNotFound, KnowledgeBaseNotFound
from app.types import Fingerprint, Tuning
from tests.fixtures.catalogues import FINGERPRINT, Catalogue

ALL = Tuning(threshold=0.8, keyword_weight=0.4, most_doubt=0.3, most_doubt_strange=0.1)


def put(catalogue: Catalogue, base_id: str, tuning: Tuning = ALL) -> Calibration:
    new = NewCalibration(
        knowledge_base_id=base_id,
        evaluation_id="eval-1",
        fingerprint=FINGERPRINT,
        model="small",
        tuning=tuning,
        target={"kind": "false_refusals", "most": 0.05},
        figures={"answerable": 40, "nested": {"values": [0.1, None]}},
    )
    return Calibrations(catalogue.sessions).put(new)


def test_what_is_stored_is_read_and_replaced(catalogue: Catalogue) -> None:
    store, base = Calibrations(catalogue.sessions), catalogue.base()
    assert store.find(base.id) is None
    first = put(catalogue, base.id)
    assert store.get(base.id) == first
    second = put(catalogue, base.id, Tuning(threshold=0.7))
    assert store.get(base.id) == second
    assert (second.tuning, second.id == first.id) == (Tuning(threshold=0.7), False)
    store.remove(base.id)
    with pytest.raises(CalibrationNotFound):
        store.remove(base.id)


def test_each_knowledge_base_has_its_own(catalogue: Catalogue) -> None:
    one, other = catalogue.base("one"), catalogue.base("other")
    put(catalogue, one.id)
    assert set(Calibrations(catalogue.sessions).of([one.id, other.id])) == {one.id}


def test_it_goes_with_its_knowledge_base(catalogue: Catalogue) -> None:
    base = catalogue.base()
    put(catalogue, base.id)
    catalogue.bases.hide(base.id)
    with pytest.raises(KnowledgeBaseNotFound):
        put(catalogue, base.id)
    catalogue.bases.forget(base.id)
    assert Calibrations(catalogue.sessions).find(base.id) is None


@pytest.mark.parametrize(
    "changes",
    [{"embedder": "e5@2"}, {"dimensions": 768}, {"tokens": "2"}, {"chunk_size": 500}, {"chunk_overlap": 50}],
)
def test_nothing_holds_for_another_index(catalogue: Catalogue, changes: dict[str, Any]) -> None:
    made = put(catalogue, catalogue.base().id)
    other: Fingerprint = replace(FINGERPRINT, **changes)
    assert made.faults(other, "small") == [Fault.INDEX_CHANGED]
    assert made.holding(other, "small") == Tuning()
    assert made.holding(FINGERPRINT, "small") == ALL


def test_limits_of_doubt_hold_for_their_model_alone(catalogue: Catalogue) -> None:
    base = catalogue.base()
    made = put(catalogue, base.id)
    assert made.faults(FINGERPRINT, "large") == [Fault.MODEL_CHANGED]
    assert made.holding(FINGERPRINT, "large") == Tuning(threshold=0.8, keyword_weight=0.4)
    without = put(catalogue, base.id, Tuning(threshold=0.8))
    assert without.faults(FINGERPRINT, "large") == []
