"""What has been kept for long enough goes: calls and conversations."""

from __future__ import annotations

import threading

import structlog
from sqlalchemy.exc import SQLAlchemyError

from app.catalogue.calls import Calls
from app.catalogue.conversations import Conversations

log = structlog.get_logger(__name__)

_LOOKS_EVERY_SECONDS = 600.0


class Retention:
    """Looks from its start on, and every ten minutes; several processes on one database may do so."""

    def __init__(self, calls: Calls, conversations: Conversations, call_days: float, conversation_days: float) -> None:
        self._calls = calls
        self._conversations = conversations
        self._call_days = call_days
        self._conversation_days = conversation_days
        self._stopping = threading.Event()

    def start(self) -> None:
        """Looks from now on, in a thread of its own."""
        threading.Thread(target=self._keep, name="retention", daemon=True).start()

    def stop(self) -> None:
        """What is under way ends; nothing more is begun."""
        self._stopping.set()

    def look(self) -> None:
        """Removes what is too old."""
        calls = self._calls.remove_older(self._call_days)
        conversations = self._conversations.remove_older(self._conversation_days)
        if calls or conversations:
            log.info("kept_long_enough", calls=calls, conversations=conversations)

    def _keep(self) -> None:
        while True:
            try:
                self.look()
            except SQLAlchemyError as error:
                log.warning("retention_failed", detail=type(error).__name__)
            if self._stopping.wait(_LOOKS_EVERY_SECONDS):
                return
