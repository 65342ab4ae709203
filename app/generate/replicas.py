"""Several vLLM servers of one model: each gets the adapters, and one can be asked for that all of them have."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass

import structlog

from app.errors import AdapterNotHosted, HostingFailed, ModelUnavailable
from app.generate.hosting import ServedAdapter, VllmHost
from app.generate.llm import Route
from app.phrases import JOINT
from app.ports import ModelStatus

log = structlog.get_logger(__name__)

_AWAY = frozenset({"no connection", "too slow", "its reply broke off"})
"""Reasons of a model that say that its server is not there."""


@dataclass(frozen=True, slots=True)
class Replica:
    """One of the servers as it was last seen: by its place in the setting from 1 on, its adapters, and what is wrong
    with it; `adapters` is None while it is away."""

    number: int
    adapters: frozenset[str] | None
    fault: str | None = None


class ReplicaHost:
    """An `AdapterHost` over the replicas; safe to call from any thread.

    One that is away stops nothing: it is left out until it answers again, and then told what it lacks. `hosted` are the
    adapters that all that answer have; it and `set` raise where none does. What one refuses is taken from the others
    again.
    """

    def __init__(self, hosts: Sequence[VllmHost]) -> None:
        self._hosts = dict(enumerate(hosts, start=1))
        self._lock = threading.Lock()
        self._seen: dict[int, Replica] = {}

    def begin(self, adapters: Sequence[ServedAdapter]) -> None:
        """Nothing: they run already, or come up when they like."""

    def hosted(self) -> frozenset[str]:
        return frozenset.intersection(*self._look().values())

    def agree(self) -> bool:
        """Whether all that answered last have the same adapters."""
        return len({replica.adapters for replica in self.replicas() if replica.adapters is not None}) <= 1

    def set(self, adapters: Sequence[ServedAdapter]) -> None:
        before = self._look()
        wanted = frozenset(adapter.id for adapter in adapters)
        faults = self._each(before, lambda number, host: host.load(adapters, before[number]))
        if faults:
            there = self._look()
            lacking = [number for number, names in there.items() if wanted - names]
            guilty = next((faults[number] for number in lacking if number in faults), None)
            if guilty is not None:
                self._each(there, lambda number, host: host.unload(there[number] - before.get(number, there[number])))
                for number in lacking:
                    if number in faults:
                        self._note(Replica(number, there[number], str(faults[number].params["reason"])))
                raise guilty
            before = there
        faults = self._each(before, lambda number, host: host.unload(before[number] - wanted))
        there = self._look()
        for number, fault in faults.items():
            if there.get(number, wanted) - wanted:
                raise fault

    def replicas(self) -> tuple[Replica, ...]:
        """All as they were last seen; none before the first look."""
        with self._lock:
            return tuple(self._seen[number] for number in sorted(self._seen))

    def detail(self) -> str | None:
        """What is wrong with which, as a phrase; None where all is well. It names none by its address."""
        faults = [f"replica {one.number}: {one.fault}" for one in self.replicas() if one.fault is not None]
        return JOINT.join(faults) or None

    def lost(self, number: int, reason: str) -> None:
        """A question found it away; the next look may see otherwise."""
        self._note(Replica(number, None, reason))

    def _look(self) -> dict[int, frozenset[str]]:
        """The adapters of each that answers; raises `HostingFailed` where none does."""
        found: dict[int, frozenset[str]] = {}
        faults = self._each(self._hosts, lambda number, host: found.__setitem__(number, host.hosted()))
        for number in self._hosts:
            fault = str(faults[number].params["reason"]) if number in faults else None
            self._note(Replica(number, found.get(number), fault))
        if not found:
            raise faults[min(faults)]
        return found

    def _note(self, replica: Replica) -> None:
        with self._lock:
            old, self._seen[replica.number] = self._seen.get(replica.number), replica
        if replica.fault is not None and (old is None or old.fault is None):
            log.warning("replica_failed", replica=replica.number, reason=replica.fault)
        elif old is not None and old.fault is not None and replica.fault is None:
            log.info("replica_is_back", replica=replica.number)

    def _each(self, numbers: Iterable[int], do: Callable[[int, VllmHost], None]) -> dict[int, HostingFailed]:
        """Does it with these replicas at once; what each raised."""
        faults: dict[int, HostingFailed] = {}

        def one(number: int) -> None:
            try:
                do(number, self._hosts[number])
            except HostingFailed as error:
                faults[number] = error

        with ThreadPoolExecutor(len(self._hosts), thread_name_prefix="replicas") as pool:
            list(pool.map(one, numbers))
        return faults


class SpreadEndpoint:
    """An `Endpoint` without a router before the replicas: each request goes to the one with the fewest under way, of
    those that were there when last seen and have its adapter."""

    def __init__(self, urls: Sequence[str], api_key: str, host: ReplicaHost) -> None:
        self._urls = dict(enumerate(urls, start=1))
        self._api_key = api_key
        self._host = host
        self._lock = threading.Lock()
        self._busy: Counter[int] = Counter()
        self._asked: Counter[int] = Counter()

    @property
    def base_url(self) -> str | None:
        return self._urls[1]

    @property
    def api_key(self) -> str:
        return self._api_key

    def status(self) -> ModelStatus | None:
        return None

    @contextmanager
    def entered(self, adapter: str | None) -> Iterator[Route]:
        number = self._taken(adapter)
        try:
            yield Route(self._urls[number], adapter)
        except ModelUnavailable as error:
            reason = str(error.params.get("reason"))
            if reason in _AWAY:
                self._host.lost(number, reason)
            raise
        finally:
            with self._lock:
                self._busy[number] -= 1

    def _taken(self, adapter: str | None) -> int:
        seen = {replica.number: replica.adapters for replica in self._host.replicas()}
        there = {number: names for number, names in seen.items() if names is not None}
        able = [number for number, names in there.items() if adapter is None or adapter in names]
        if adapter is not None and there and not able:
            raise AdapterNotHosted(ref=adapter)
        with self._lock:
            number = min(able or self._urls, key=lambda one: (self._busy[one], self._asked[one]))
            self._busy[number] += 1
            self._asked[number] += 1
        return number
