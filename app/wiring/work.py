"""What works over the services of a server: conversations, evaluations, adapters and trainings."""

from __future__ import annotations

from functools import partial

from app.conversing import Conversing
from app.evaluation.courtesy import Courtesy
from app.evaluation.runs import Runs
from app.finetune.adapters import Adapters, Room
from app.finetune.checking import Limits
from app.finetune.hosting import Hosting
from app.finetune.jobs import TrainingJobs, TrainingParts
from app.finetune.leftovers import ALONE
from app.finetune.preparation import Preparation
from app.finetune.promoting import Hosts, Promoting
from app.services import Services
from app.wiring.parts import served_base


def build_conversing(services: Services) -> Conversing:
    """The conversations of a server, over its services."""
    return Conversing(services)


def build_runs(services: Services) -> Runs:
    """The evaluations of a server, over its services."""
    return Runs(services)


def build_adapters(services: Services) -> Adapters:
    """The registry of adapters of a server."""
    settings = services.settings
    limits = Limits(settings.max_lora_rank, settings.max_adapter_mb * 1_000_000)
    room = Room(settings.max_stored_adapters, limits, settings.min_free_disk_mb * 1_000_000)
    maker = services.process_id or ALONE
    return Adapters(services.adapters, settings.adapters_dir, partial(served_base, settings), room, maker)


def build_trainings(services: Services, adapters: Adapters, courtesy: Courtesy) -> TrainingJobs:
    """The trainings of a server, whose adapters go to its registry."""
    preparation = Preparation(services, partial(served_base, services.settings), courtesy)
    return TrainingJobs(services, TrainingParts(preparation, adapters))


def build_hosting(services: Services, adapters: Adapters) -> Hosting:
    """What has adapters hosted by the server of the language model."""
    settings = services.settings
    return Hosting(
        services.adapters,
        adapters.verify,
        services.adapter_host,
        most=settings.max_adapters,
        check_seconds=settings.hosting_check_seconds,
    )


def build_promoting(services: Services, runs: Runs, adapters: Adapters, hosts: Hosts) -> Promoting:
    """What proves and promotes adapters, over the other parts of a server."""
    return Promoting(services, runs, adapters, hosts)
