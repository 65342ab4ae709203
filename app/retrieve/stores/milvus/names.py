"""Names and filters in Milvus, made of ids of ours alone."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable

from app.retrieve.stores.index_ids import checked_index_id

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._:-]{0,199}")
_DASH = "D"
"""Stands for "-", which a collection's name cannot have; ids of ours have no capitals."""


def collection_name(prefix: str, index_id: str) -> str:
    """The collection of an index; ValueError for what is no index id of ours."""
    return prefix + checked_index_id(index_id).replace("-", _DASH)


def index_id_of(prefix: str, name: str) -> str:
    """The index id that `collection_name` made this name of."""
    return name.removeprefix(prefix).replace(_DASH, "-")


def one_of(field: str, ids: Iterable[str]) -> str:
    """The filter for rows whose `field` is one of these ids; ValueError for what is no id of ours."""
    checked = list(ids)
    if not all(_ID.fullmatch(one) for one in checked):
        raise ValueError("not an id of ours")
    return f"{field} in {json.dumps(checked)}"
