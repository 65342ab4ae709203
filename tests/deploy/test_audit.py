"""Accepted advisories have a reason and an end, and the bill of materials has all that is installed."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import date
from importlib.metadata import distributions
from pathlib import Path

import pytest

from tests.deploy.audit import EXCEPTIONS, accepted
from tests.deploy.environment import tools

TODAY = date(2026, 3, 1)
ONE = '[[accepted]]\nid = "CVE-1"\nuntil = {until}\nreason = "{reason}"\n'
REASON = "Only where archives are read, which is nowhere here."


def test_an_accepted_one_holds_until_its_day() -> None:
    assert [entry.id for entry in accepted(ONE.format(until="2026-03-01", reason=REASON), TODAY)] == ["CVE-1"]
    assert accepted(ONE.format(until="2026-02-28", reason=REASON), TODAY) == []


@pytest.mark.parametrize(
    ("until", "reason"), [("2026-03-02", ""), ("2026-03-02", "because"), ("2029-01-01", REASON), ('"soon"', REASON)]
)
def test_one_without_a_reason_or_an_end_is_refused(until: str, reason: str) -> None:
    with pytest.raises(ValueError, match="CVE-1"):
        accepted(ONE.format(until=until, reason=reason), TODAY)


def test_those_of_this_project_can_be_read() -> None:
    accepted(EXCEPTIONS.read_text(encoding="utf-8"), TODAY)


def test_the_bill_of_materials_has_every_installed_library_with_its_version(tmp_path: Path) -> None:
    bill = tmp_path / "sbom.json"
    command = [str(tools() / "cyclonedx-py"), "environment", sys.executable, "--output-reproducible", "-o", str(bill)]
    subprocess.run(command, check=True, timeout=300, capture_output=True)
    told = {(part["name"].lower(), part.get("version")) for part in json.loads(bill.read_text())["components"]}
    installed = {(found.name.lower(), found.version) for found in distributions() if found.name.lower() != "manualqa"}
    assert installed - told == set()
