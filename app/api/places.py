"""The places for questions that a server has, and how a request gives up its own."""

from __future__ import annotations

from dataclasses import dataclass

from starlette.types import Scope

ASKS = r"/v1/knowledge-bases/[^/]+/(?:ask|ask-batch)|/v1/conversations/[^/]+/ask|/v1/chat/completions"
"""The paths of routes that have the model answer."""

_PLACE = "manualqa.place"


@dataclass(slots=True)
class Places:
    """Taken on one event loop; a batch has one, as it asks one question after the other."""

    most: int
    taken: int = 0

    def take(self, scope: Scope) -> bool:
        """Whether there was one for this request, which has it until `leave`."""
        if self.taken >= self.most:
            return False
        self.taken += 1
        scope[_PLACE] = self
        return True


def leave(scope: Scope) -> None:
    """Gives up the place of a request, if it has one."""
    places: Places | None = scope.pop(_PLACE, None)
    if places is not None:
        places.taken -= 1
