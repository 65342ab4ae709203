"""Notices by mail; only user of `smtplib`."""

from __future__ import annotations

import smtplib
import ssl
from collections.abc import Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from email.message import EmailMessage
from email.policy import SMTP as SMTP_POLICY
from email.utils import format_datetime
from typing import Final, Literal

from pydantic import SecretStr

from app.alarms.messages import Message
from app.errors import NoticeNotDelivered
from app.types import Language

SECONDS: Final = 10.0
"""Longest wait for each answer of the server."""


@dataclass(frozen=True, slots=True)
class MailServer:
    """Who takes mail; the password is sent over an encrypted connection alone."""

    host: str
    port: int
    security: Literal["starttls", "tls", "none"]
    user: str | None = None
    password: SecretStr | None = None


class Mail:
    """Sends from one address to some others; what a header may hold is checked where it is put together."""

    name: Final = "mail"

    def __init__(
        self,
        server: MailServer,
        sender: str,
        recipients: Sequence[str],
        languages: Sequence[Language],
        seconds: float = SECONDS,
    ) -> None:
        self._server = server
        self._sender = sender
        self._recipients = recipients
        self._languages = languages
        self._seconds = seconds

    def send(self, message: Message) -> None:
        """Returns once the server has taken it for one recipient or more; raises `NoticeNotDelivered`."""
        letter = self._letter(message)
        try:
            connection = self._connected()
            with closing(connection):
                connection.send_message(letter, self._sender, self._recipients)
                with suppress(smtplib.SMTPException, OSError):  # it was taken, whatever comes now
                    connection.quit()
        except smtplib.SMTPAuthenticationError:
            why = "the mail server refuses user or password"
        except (smtplib.SMTPRecipientsRefused, smtplib.SMTPSenderRefused):
            why = "the mail server refuses sender or recipients"
        except smtplib.SMTPNotSupportedError:
            why = "the mail server offers no encryption or no sign-in"
        except smtplib.SMTPResponseException as error:
            why = f"the mail server answers with {error.smtp_code}"
        except ssl.SSLError:
            why = "the mail server has no certificate that is trusted"
        except (smtplib.SMTPException, OSError):
            why = "the mail server does not answer"
        else:
            return
        raise NoticeNotDelivered(reason=why)

    def _connected(self) -> smtplib.SMTP:
        server = self._server
        context = ssl.create_default_context()
        if server.security == "tls":
            connection: smtplib.SMTP = smtplib.SMTP_SSL(
                server.host, server.port, timeout=self._seconds, context=context
            )
        else:
            connection = smtplib.SMTP(server.host, server.port, timeout=self._seconds)
        try:
            if server.security == "starttls":
                connection.starttls(context=context)
            if server.user is not None and server.password is not None and server.security != "none":
                connection.login(server.user, server.password.get_secret_value())
        except BaseException:
            connection.close()
            raise
        return connection

    def _letter(self, message: Message) -> EmailMessage:
        """The policy raises where a header had a line break in it."""
        letter = EmailMessage(policy=SMTP_POLICY)
        letter["From"] = self._sender
        letter["To"] = ", ".join(self._recipients)
        letter["Subject"] = " / ".join(message.title(one) for one in self._languages)
        letter["Date"] = format_datetime(message.at)
        letter["Message-ID"] = f"<{message.id}@{self._sender.rpartition('@')[2]}>"
        letter["Auto-Submitted"] = "auto-generated"
        letter.set_content(message.text(self._languages) + "\n")
        return letter
