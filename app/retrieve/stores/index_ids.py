"""What an index may be called on disk: ids of ours alone, never a word from a user."""

from __future__ import annotations

import re

_INDEX_ID = re.compile(r"[a-z0-9][a-z0-9_-]{1,58}[a-z0-9]")


def checked_index_id(index_id: str) -> str:
    """The id itself; ValueError for anything that is not one of ours, as a path or a collection name would be."""
    if not _INDEX_ID.fullmatch(index_id):
        raise ValueError("not an index id of ours")
    return index_id
