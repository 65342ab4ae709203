"""What an original may be called: the SHA-256 of its bytes, and nothing else."""

from __future__ import annotations

import re

_SHA256 = re.compile(r"[0-9a-f]{64}")


def is_sha256(name: str) -> bool:
    """Whether this is a hash as we write it."""
    return _SHA256.fullmatch(name) is not None


def checked_sha256(name: str) -> str:
    """The hash itself; ValueError for anything else, as a path or an object's key would be."""
    if not is_sha256(name):
        raise ValueError("not a SHA-256")
    return name
