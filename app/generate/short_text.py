"""One short text of the model, such as a question in other words, within so many seconds or not at all."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import aclosing

import anyio
import structlog

from app.errors import ModelBusy, ModelUnavailable
from app.ports import LanguageModel, Message

log = structlog.get_logger(__name__)

_MOST_TOKENS = 120


async def short_text(model: LanguageModel, messages: Sequence[Message], seconds: float, purpose: str) -> str | None:
    """What the model writes; None where it is away, busy or too slow, which the log tells with the `purpose`."""
    said = ""
    with anyio.move_on_after(seconds) as scope:
        try:
            async with aclosing(model.stream(messages, _MOST_TOKENS)) as pieces:
                async for piece in pieces:
                    said += piece if isinstance(piece, str) else ""
        except (ModelUnavailable, ModelBusy) as error:
            log.warning("not_written", purpose=purpose, reason=error.code(), detail=error.detail)
            return None
    if scope.cancelled_caught:
        log.warning("not_written", purpose=purpose, reason="too slow", seconds=seconds)
        return None
    return said
