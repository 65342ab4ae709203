"""`manualqa worker`: works through the queues beside other processes, without an address, until it is told to stop."""

from __future__ import annotations

import asyncio
import os
import signal

from rich.console import Console

from app.api.app import create_app
from app.cli import garbage
from app.cli.serve import owned_folder
from app.cli.words import Words
from app.parts import Parts
from app.services import Services
from app.settings import Settings
from app.wiring.services import Duty, build_services


def run_worker(settings: Settings, words: Words, console: Console, parts: Parts | None = None) -> None:
    """Runs until SIGTERM or Ctrl-C, a second of which waits for nothing.

    Raises `ProcessesNotShared`, `DataFolderLocked`, `DatabaseUnusable`, `WeightsMissing`, `MigrationFailed`. `parts`
    stand in for those that the settings name.
    """
    with owned_folder(settings, parts) as folder:
        services = build_services(settings, "", parts, Duty.WORKER, folder.process_id())
        garbage.collect_after(services.embedding.tried)
        console.print(words("working", process=services.process_id), markup=False)
        asyncio.run(_work(services))
        if services.is_hurrying():  # a step that still runs would hold up the end
            os._exit(0)
    console.print(words("stopped"), markup=False)


async def _work(services: Services) -> None:
    """All that a server does but answer: the application lives, and nothing listens for it."""
    app, stopped, loop = create_app(services, tells_alarms=False), asyncio.Event(), asyncio.get_running_loop()

    def stop() -> None:
        services.drain()
        stopped.set()

    for signal_ in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(signal_, stop)
    async with app.router.lifespan_context(app):
        await stopped.wait()
