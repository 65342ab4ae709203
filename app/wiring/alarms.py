"""What watches over a server and tells its operator, from its settings."""

from __future__ import annotations

from functools import partial

from app.alarms.alarming import Alarming, pause_seconds
from app.alarms.mail import Mail, MailServer
from app.alarms.rules import limits as alarm_limits
from app.alarms.sending import Sender, Way
from app.alarms.watching import Sources, Watcher
from app.alarms.webhook import Webhook
from app.health import free_disk_mb
from app.services import Services
from app.settings import Settings
from app.types import Language


def build_alarms(services: Services) -> Alarming:
    """What watches over a server and tells its operator."""
    settings = services.settings
    on, ways = alarm_limits(settings), _ways(settings)
    sources = Sources(services.operations, services.movement, partial(free_disk_mb, settings), services.living)
    pause = pause_seconds(settings)
    watcher = Watcher(
        services.alarms,
        sources,
        on,
        [way.name for way in ways],
        least_calls=settings.alarm_calls,
        window_seconds=settings.alarm_minutes * 60,
        pause_seconds=pause,
        process_id=services.process_id or "local",
    )
    page = settings.public_url and f"{settings.public_url.rstrip('/')}/operations"
    return Alarming(services.alarms, watcher, Sender(services.alarms, ways, page=page), on, pause)


def _ways(settings: Settings) -> list[Way]:
    ways: list[Way] = []
    languages: list[Language] = ["en", "zh"] if settings.language == "auto" else [settings.language]
    if settings.alarm_webhook_url is not None:
        ways.append(Webhook(settings.alarm_webhook_url, settings.alarm_webhook_secret, languages))
    if settings.alarm_mail_to is not None:
        server = MailServer(
            settings.alarm_smtp_host,
            settings.alarm_smtp_port,
            settings.alarm_smtp_security,
            settings.alarm_smtp_user,
            settings.alarm_smtp_password,
        )
        recipients = [one.strip() for one in settings.alarm_mail_to.split(",")]
        ways.append(Mail(server, settings.alarm_mail_from, recipients, languages))
    return ways
