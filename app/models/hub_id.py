"""Names of models on a hub, checked before they are used for anything."""

from __future__ import annotations

import re
from dataclasses import dataclass

_NAME = r"[A-Za-z0-9](?:[A-Za-z0-9_.-]{0,94}[A-Za-z0-9])?"
_HUB_ID = re.compile(rf"(?P<repository>{_NAME}/{_NAME})(?::(?P<tag>{_NAME}))?")


@dataclass(frozen=True, slots=True)
class HubId:
    """`owner/name`, with `:TAG` to choose among the .gguf files of a repository."""

    repository: str
    tag: str | None = None

    @property
    def folder_name(self) -> str:
        """One folder for each id: no part of an id holds "--"."""
        return "--".join([*self.repository.split("/"), *([self.tag] if self.tag else [])])


def parse_hub_id(text: str) -> HubId | None:
    """`text` as a hub id, or None where it is not one."""
    match = _HUB_ID.fullmatch(text)
    if match is None or "--" in text or ".." in text:
        return None
    return HubId(match["repository"], match["tag"])
