"""Manuals damaged at random: each gives its text or a typed error, soon, in little memory, and leaves nothing.

`pytest --campaign` damages the real manuals beside the checkout too, where they are there, and says at the end what
came of all. A failure names the mutant; `--mutation-seed` and `--mutants` draw it again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.fixtures.guarded_reading import Reading, read_guarded
from tests.fixtures.mutations import mutated

_ROOT = Path(__file__).resolve().parents[2]
_SAMPLES = _ROOT / "examples" / "manuals"
_REAL = _ROOT.parent / "shared" / "data" / "pdf"


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "mutant" in metafunc.fixturenames:
        metafunc.parametrize("mutant", range(_mutants(metafunc.config)))


def _mutants(config: pytest.Config) -> int:
    asked: int | None = config.getoption("--mutants")
    return (1000 if config.getoption("--campaign") else 40) if asked is None else asked


@dataclass(slots=True)
class Tally:
    """What came of all mutants."""

    outcomes: Counter[str] = field(default_factory=Counter)
    readings: list[tuple[str, Reading]] = field(default_factory=list)

    def add(self, name: str, reading: Reading) -> None:
        self.outcomes[reading.outcome] += 1
        self.readings.append((name, reading))

    def lines(self) -> Iterator[str]:
        seconds = sorted(reading.seconds for _, reading in self.readings)
        slowest, worst = max(self.readings, key=lambda item: item[1].seconds)
        yield f"{len(seconds)} damaged PDFs: " + ", ".join(f"{code} {n}" for code, n in self.outcomes.most_common())
        yield f"median {seconds[len(seconds) // 2]:.1f} s, slowest {worst.seconds:.1f} s ({slowest}, {worst.outcome})"
        yield f"peak memory of a child {max(reading.peak_mb for _, reading in self.readings):.0f} MB"


@pytest.fixture(scope="module")
def tally(request: pytest.FixtureRequest) -> Iterator[Tally]:
    """Counts, and in a campaign says at the end what was counted."""
    counted = Tally()
    yield counted
    if request.config.getoption("--campaign") and counted.readings:
        with request.config.pluginmanager.getplugin("capturemanager").global_and_fixture_disabled():
            print("", *counted.lines(), sep="\n")  # noqa: T201  (the report of a campaign)


@pytest.fixture(scope="module")
def manuals(request: pytest.FixtureRequest) -> list[Path]:
    real = _REAL.glob("*.pdf") if request.config.getoption("--campaign") else ()
    return [*sorted(_SAMPLES.glob("*.pdf")), *sorted(real)]


def test_a_damaged_pdf_is_text_or_a_typed_error(
    mutant: int, manuals: list[Path], tally: Tally, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    manual = manuals[mutant % len(manuals)]
    seed = request.config.getoption("--mutation-seed") * 1_000_000 + mutant
    tally.add(f"{manual.name}, mutant {mutant}", read_guarded(mutated(manual.read_bytes(), seed), tmp_path))
