"""Notices as JSON to an address of the operator's, signed; only user of `httpx` here."""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from collections.abc import Sequence
from typing import Final

import anyio
import httpx
from pydantic import SecretStr

from app.alarms.messages import Message
from app.errors import NoticeNotDelivered
from app.types import Language

SECONDS: Final = 10.0
"""Longest time of a delivery, from the name's look-up to the status."""


class Webhook:
    """Posts to one address, and takes no redirect; neither address nor key is ever told in an error."""

    name: Final = "webhook"

    def __init__(
        self, url: SecretStr, secret: SecretStr | None, languages: Sequence[Language], seconds: float = SECONDS
    ) -> None:
        self._url = url
        self._secret = secret
        self._languages = languages
        self._seconds = seconds

    def send(self, message: Message) -> None:
        """Returns once it was taken; raises `NoticeNotDelivered`."""
        body = json.dumps(message.as_json(self._languages), ensure_ascii=False).encode()
        headers = {"Content-Type": "application/json", "User-Agent": "manualqa", "Manualqa-Notice": message.id}
        if self._secret is not None:
            moment = str(int(time.time()))
            headers["Manualqa-Timestamp"] = moment
            headers["Manualqa-Signature"] = f"v1={signature(self._secret, moment, body)}"
        status = anyio.run(self._post, body, headers)
        if not httpx.codes.is_success(status):
            raise NoticeNotDelivered(reason=f"the address answers with {status}")

    async def _post(self, body: bytes, headers: dict[str, str]) -> int:
        """The status; of the answer nothing more is read."""
        try:
            with anyio.fail_after(self._seconds):
                async with httpx.AsyncClient(timeout=self._seconds, follow_redirects=False) as client:
                    url = self._url.get_secret_value()
                    async with client.stream("POST", url, content=body, headers=headers) as answer:
                        return answer.status_code
        except (httpx.HTTPError, httpx.InvalidURL, UnicodeError, TimeoutError) as error:
            raise NoticeNotDelivered(type(error).__name__, reason="the address does not answer") from None


def signature(secret: SecretStr, moment: str, body: bytes) -> str:
    """HMAC-SHA256 over the moment, a dot and the body, in hex."""
    return hmac.new(secret.get_secret_value().encode(), f"{moment}.".encode() + body, hashlib.sha256).hexdigest()
