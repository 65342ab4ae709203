"""What is known to be wrong with the libraries that `constraints.txt` pins: `python -m tests.deploy.audit`.

pip-audit asks the registry's or OSV's advisories, so this needs one of them. What is accepted stands in
`audit_exceptions.toml`, each with its reason and the day until which it holds; after that day it counts again.
"""

from __future__ import annotations

import subprocess
import sys
import tomllib
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

from tests.deploy.environment import tools

EXCEPTIONS = Path(__file__).with_name("audit_exceptions.toml")
CONSTRAINTS = Path(__file__).parents[2] / "constraints.txt"
AUDIT_SECONDS = 900.0


@dataclass(frozen=True)
class Accepted:
    """An advisory that is accepted until a day, and why."""

    id: str
    until: date
    reason: str


def accepted(text: str, today: date) -> list[Accepted]:
    """Those of the file that still hold; raises `ValueError` for one without a day or a reason, or for years."""
    found = []
    for entry in tomllib.loads(text).get("accepted", []):
        until, reason = entry.get("until"), str(entry.get("reason", "")).strip()
        if not isinstance(until, date) or len(reason) < 10:
            raise ValueError(f"{entry.get('id')}: say until which day it is accepted, and why")
        if (until - today).days > 366:
            raise ValueError(f"{entry['id']}: at most for a year")
        found.append(Accepted(str(entry["id"]), until, reason))
    return [entry for entry in found if entry.until >= today]


def main() -> int:
    """The exit code of pip-audit: 0 where nothing is known, or all of it is accepted."""
    holding = accepted(EXCEPTIONS.read_text(encoding="utf-8"), datetime.now(UTC).date())
    ignored = [part for entry in holding for part in ("--ignore-vuln", entry.id)]
    command = [str(tools() / "pip-audit"), "--strict", "--no-deps", "--disable-pip", "-r", str(CONSTRAINTS)]
    return subprocess.run([*command, *ignored], timeout=AUDIT_SECONDS, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
