"""Notices on their way: to a real address and a real mail server that fail, stall and refuse."""

from __future__ import annotations

import hashlib
import hmac
import re
import shutil
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from pydantic import SecretStr, ValidationError

from app.alarms.mail import Mail, MailServer
from app.alarms.messages import RULE_NAMES, TEST, Message, shown
from app.alarms.rules import Happening, Rule
from app.alarms.sending import Sender
from app.alarms.webhook import Webhook
from app.catalogue.alarms import Alarms, NoticeState
from app.catalogue.tables import now
from app.errors import NoticeNotDelivered
from app.settings import Settings
from tests.fixtures.catalogues import a_catalogue
from tests.fixtures.receivers import Mailbox, Receiver, a_certificate, a_mailbox, a_receiver
from tests.fixtures.waiting import wait_for

AT = datetime(2026, 3, 5, 12, 0, tzinfo=UTC)
SECRET = SecretStr("the secret of both")
FIRED = Message("notice-1", Happening.FIRED, AT, "alarm-1", Rule.ERROR_RATE, 0.34, 0.1, AT)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with a_receiver() as running:
        yield running


@pytest.fixture
def mailbox() -> Iterator[Mailbox]:
    with a_mailbox() as running:
        yield running


@pytest.fixture
def alarms(tmp_path: Path) -> Iterator[Alarms]:
    with a_catalogue(tmp_path) as catalogue:
        yield Alarms(catalogue.sessions)


def webhook(receiver: Receiver, secret: SecretStr | None = SECRET, seconds: float = 60.0) -> Webhook:
    return Webhook(SecretStr(receiver.url), secret, ["en", "zh"], seconds)


def mail(port: int, *recipients: str, security: str = "none", password: str | None = None) -> Mail:
    server = MailServer(
        "localhost", port, security, "operator" if password else None, SecretStr(password) if password else None
    )  # type: ignore[arg-type]
    return Mail(server, "manualqa@example.org", recipients or ("ops@example.org",), ["en", "zh"], 60.0)


def reason(send: object, message: Message = FIRED) -> str:
    with pytest.raises(NoticeNotDelivered) as caught:
        send.send(message)  # type: ignore[attr-defined]
    return str(caught.value.params["reason"])


# --- what is said -----------------------------------------------------------------------------------------------------


def test_a_message_has_its_figures_in_both_languages() -> None:
    assert FIRED.text(["en"]) == (
        "manualqa · Alarm: Questions that end in an error\nNow 34.0%, at most 10.0%; fired 2026-03-05 12:00 UTC."
    )
    assert FIRED.text(["zh"]) == "manualqa · 告警：出错的提问\n现为 34.0%，上限 10.0%；触发于 2026-03-05 12:00 UTC。"
    assert FIRED.text(["en", "zh"]).count("\n\n") == 1


def test_a_notice_ends_with_the_page_where_it_is_shown(alarms: Alarms, receiver: Receiver) -> None:
    sender = Sender(alarms, [webhook(receiver)], page="https://manuals.example.com/operations")
    assert [tried.reason for tried in sender.test()] == [None]
    body = receiver.got[0].json()
    assert body["page"] == "https://manuals.example.com/operations"
    assert body["text"].endswith("\n\nhttps://manuals.example.com/operations")
    assert Message("notice-1", TEST, AT).as_json(["en"])["page"] is None


@pytest.mark.parametrize("rule", Rule)
@pytest.mark.parametrize("happening", [*Happening, TEST])
def test_every_rule_and_happening_has_words(rule: Rule, happening: Happening) -> None:
    for language in ("en", "zh"):
        said = Message("notice-1", happening, AT, "alarm-1", rule, None, 5.0, AT).text([language])
        assert "{" not in said
        assert bool(re.search("[一-鿿]", said)) == (language == "zh")
    assert len(RULE_NAMES) == len(Rule)
    assert shown(Rule.FREE_DISK_MB, 12345.6, "en") == "12,346 MB"


# --- webhooks ---------------------------------------------------------------------------------------------------------


def test_a_webhook_gets_json_that_is_signed(receiver: Receiver) -> None:
    webhook(receiver).send(FIRED)
    [got] = receiver.got
    body = got.json()
    assert {name: body[name] for name in ("id", "happening", "rule", "figure", "limit", "alarm_id")} == {
        "id": "notice-1",
        "happening": "fired",
        "rule": "error_rate",
        "figure": 0.34,
        "limit": 0.1,
        "alarm_id": "alarm-1",
    }
    moment = got.headers["Manualqa-Timestamp"]
    assert abs(time.time() - int(moment)) < 600
    expected = hmac.new(SECRET.get_secret_value().encode(), moment.encode() + b"." + got.body, hashlib.sha256)
    assert got.headers["Manualqa-Signature"] == f"v1={expected.hexdigest()}"
    assert (got.headers["Manualqa-Notice"], got.headers["Content-Type"]) == ("notice-1", "application/json")


def test_without_a_secret_nothing_is_signed(receiver: Receiver) -> None:
    webhook(receiver, secret=None).send(FIRED)
    assert not [name for name in receiver.got[0].headers if name.startswith("Manualqa-S")]


@pytest.mark.parametrize("status", [302, 307, 400, 404, 500, 503])
def test_whatever_is_no_success_is_a_failure_and_no_redirect_is_followed(receiver: Receiver, status: int) -> None:
    receiver.statuses = [status]
    assert reason(webhook(receiver)) == f"the address answers with {status}"
    assert receiver.got == []


def test_an_address_that_says_nothing_is_given_up_and_never_told(receiver: Receiver) -> None:
    receiver.gate.clear()
    with pytest.raises(NoticeNotDelivered) as caught:
        webhook(receiver, seconds=0.2).send(FIRED)
    receiver.gate.set()
    with pytest.raises(NoticeNotDelivered) as refused:
        Webhook(SecretStr("http://127.0.0.1:1/very-secret-path"), SECRET, ["en"]).send(FIRED)
    for error in (caught.value, refused.value):
        assert error.params["reason"] == "the address does not answer"
        assert "secret" not in f"{error!r} {error} {error.detail} {error.__cause__!r}"


@pytest.mark.parametrize("url", ["ftp://example.org/a", "example.org", "http://", "http://a b/", "http://a/\nX: 1"])
def test_what_is_no_address_is_refused_at_the_start(url: str) -> None:
    with pytest.raises(ValidationError):
        Settings(alarm_webhook_url=url)  # type: ignore[arg-type]


# --- mail -------------------------------------------------------------------------------------------------------------


def test_a_letter_arrives_for_all(mailbox: Mailbox) -> None:
    mail(mailbox.port, "ops@example.org", "boss@example.org").send(FIRED)
    [letter] = mailbox.letters
    assert mailbox.recipients == [["ops@example.org", "boss@example.org"]]
    assert letter["Subject"] == "manualqa · Alarm: Questions that end in an error / manualqa · 告警：出错的提问"
    assert (letter["From"], letter["To"]) == ("manualqa@example.org", "ops@example.org, boss@example.org")
    assert letter["Message-ID"] == "<notice-1@example.org>"
    assert letter["Auto-Submitted"] == "auto-generated"
    assert letter.get_content().replace("\r\n", "\n").strip() == FIRED.text(["en", "zh"])


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl makes the certificate")
@pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS")  # it is there from the first byte on
@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_a_letter_goes_encrypted_to_who_knows_the_password(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, security: str
) -> None:
    with a_mailbox(a_certificate(tmp_path), tls_at_once=security == "tls") as box:
        right = mail(box.port, security=security, password="let-me-send")
        assert reason(right) == "the mail server has no certificate that is trusted"
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "certificate.pem"))
        right.send(FIRED)
        assert (len(box.letters), box.signed_in) == (1, ["operator"])
        wrong = mail(box.port, security=security, password="guessed")
        assert reason(wrong) == "the mail server refuses user or password"
        assert len(box.letters) == 1


def test_no_password_goes_where_nothing_is_encrypted(mailbox: Mailbox) -> None:
    assert reason(mail(mailbox.port, security="starttls")) == "the mail server offers no encryption or no sign-in"
    mail(mailbox.port, password="let-me-send").send(FIRED)
    assert (len(mailbox.letters), mailbox.signed_in) == (1, [])


def test_recipients_that_are_refused(mailbox: Mailbox) -> None:
    mailbox.refused = {"nobody@example.org"}
    assert reason(mail(mailbox.port, "nobody@example.org")) == "the mail server refuses sender or recipients"
    mail(mailbox.port, "nobody@example.org", "ops@example.org").send(FIRED)
    assert mailbox.recipients == [["ops@example.org"]]


def test_a_mail_server_that_is_not_there() -> None:
    assert reason(mail(1)) == "the mail server does not answer"


@pytest.mark.parametrize(
    "value", ["a@b.c\nBcc: x@y.z", "a@b.c\r\n\r\nhello", "a b@c.d", "a@b.c;d@e.f", "@b.c", "a@b.c,", '"a"@b.c']
)
def test_no_address_breaks_out_of_its_header(value: str) -> None:
    for name in ("alarm_mail_to", "alarm_mail_from"):
        with pytest.raises(ValidationError):
            Settings(**{name: value})  # type: ignore[arg-type]


def test_a_header_takes_no_line_break(mailbox: Mailbox) -> None:
    with pytest.raises(ValueError, match=r"linefeed|carriage return"):
        mail(mailbox.port, "a@b.c\r\nBcc: x@y.z").send(FIRED)
    assert mailbox.letters == []


# --- from the catalogue to the receiver -------------------------------------------------------------------------------


def fire(alarms: Alarms, *happenings: Happening, ways: tuple[str, ...] = ("webhook",)) -> None:
    with alarms.changing() as change:
        alarm_id = change.fired(Rule.ERROR_RATE, 0.1, 0.5, now())
        for happening in happenings:
            change.tell(alarm_id, happening, ways, 0.5, now())


def test_a_notice_that_fails_is_sent_again_until_it_arrives_and_what_comes_after_it_waits(
    alarms: Alarms, receiver: Receiver
) -> None:
    receiver.statuses = [500, 503]
    sender = Sender(alarms, [webhook(receiver)], waits=[0.05] * 5)
    fire(alarms, Happening.FIRED, Happening.RECOVERED)
    assert wait_for(lambda: sender.send_due() >= 0 and len(receiver.got) == 2)
    assert receiver.happenings() == ["fired", "recovered"]
    [alarm] = alarms.all(1)
    assert [(one.state, one.tries, one.reason) for one in alarm.notices] == [
        (NoticeState.SENT, 3, None),
        (NoticeState.SENT, 1, None),
    ]
    assert len({one.json()["id"] for one in receiver.got}) == 2


def test_a_notice_that_never_arrives_is_given_up_and_says_why(alarms: Alarms, receiver: Receiver) -> None:
    receiver.statuses = [500] * 10
    sender = Sender(alarms, [webhook(receiver)], waits=[0.05] * 3)
    fire(alarms, Happening.FIRED)
    assert wait_for(lambda: sender.send_due() >= 0 and alarms.all(1)[0].notices[0].state is NoticeState.FAILED)
    [notice] = alarms.all(1)[0].notices
    assert (notice.tries, notice.reason) == (3, "the address answers with 500")
    assert len(receiver.statuses) == 7


def test_a_slow_receiver_is_told_once_however_many_send(alarms: Alarms, receiver: Receiver) -> None:
    receiver.gate.clear()
    senders = [Sender(alarms, [webhook(receiver)]) for _ in range(3)]
    fire(alarms, Happening.FIRED)
    threads = [threading.Thread(target=sender.send_due) for sender in senders]
    for thread in threads:
        thread.start()
    assert wait_for(lambda: sum(thread.is_alive() for thread in threads) == 1)
    receiver.gate.set()
    for thread in threads:
        thread.join(60)
    assert receiver.happenings() == ["fired"]


def test_a_way_that_is_not_set_up_here_is_left_to_others(alarms: Alarms, receiver: Receiver, mailbox: Mailbox) -> None:
    fire(alarms, Happening.FIRED, ways=("webhook", "mail"))
    assert Sender(alarms, []).send_due() == 0
    assert Sender(alarms, [webhook(receiver)]).send_due() == 1
    assert Sender(alarms, [mail(mailbox.port)]).send_due() == 1
    assert (len(receiver.got), len(mailbox.letters)) == (1, 1)


def test_a_test_says_what_happened_on_every_way(alarms: Alarms, receiver: Receiver) -> None:
    sender = Sender(alarms, [webhook(receiver), mail(1)])
    tried = {one.way: one.reason for one in sender.test()}
    assert tried == {"webhook": None, "mail": "the mail server does not answer"}
    assert receiver.happenings() == ["test"]
    assert receiver.got[0].json()["rule"] is None
    assert alarms.all(1) == []
