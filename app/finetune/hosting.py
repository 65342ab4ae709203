"""Which adapters are to be hosted, and that they are: what the catalogue wants, and what the model server has."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import structlog
from sqlalchemy.exc import SQLAlchemyError

from app.catalogue.adapters import Adapter, AdapterRows
from app.errors import HostingFailed, ManualqaError
from app.generate.hosting import AdapterHost, ServedAdapter
from app.types import AdapterState

log = structlog.get_logger(__name__)

_LONGEST_PAUSE_SECONDS: Final = 60.0
_STOP_SECONDS: Final = 5.0


@dataclass(frozen=True, slots=True)
class HostingState:
    """The adapters that are to be hosted, the last used first, those that the server was last seen to have, and what
    stands against the others: by id, and `fault` where the server itself is to blame."""

    wanted: tuple[str, ...]
    hosted: frozenset[str]
    faults: Mapping[str, ManualqaError]
    fault: ManualqaError | None


class Hosting:
    """Safe to call from any thread; one change at a time.

    `verify` gives the PEFT folder of an adapter whose files are still those that were checked; no server gets another.
    `host` is None where the model takes no adapters. At most `most` are hosted. Both sides are compared every
    `check_seconds`, so that a server that comes back without its adapters gets them again.
    """

    def __init__(
        self,
        rows: AdapterRows,
        verify: Callable[[Adapter], Path],
        host: AdapterHost | None,
        *,
        most: int,
        check_seconds: float,
    ) -> None:
        self._rows = rows
        self._verify = verify
        self._host = host
        self._most = most
        self._check_seconds = check_seconds
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._keeper: threading.Thread | None = None
        self._seen: frozenset[str] = frozenset()
        self._faults: dict[str, ManualqaError] = {}
        self._fault: ManualqaError | None = None

    # --- life -----------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Before the model server starts, so that it starts with its adapters; then keeps both sides equal."""
        if self._host is None:
            return
        with self._lock:
            self._apply(self._host.begin, self._rows.wanted()[: self._most])
        self._keeper = threading.Thread(target=self._keep, name="adapters", daemon=True)
        self._keeper.start()

    def stop(self) -> None:
        """Ends the comparing; a call that is on its way is not waited for longer than some seconds."""
        self._stopping.set()
        if self._keeper is not None:
            self._keeper.join(_STOP_SECONDS)

    def _keep(self) -> None:
        pause = 0.0
        while not self._stopping.wait(pause):
            try:
                equal = self.reconcile()
            except (SQLAlchemyError, OSError) as error:  # a full disk, say; the next look may do
                log.error("hosting_check_failed", detail=repr(error))
                equal = False
            pause = self._check_seconds if equal else min(max(pause, self._check_seconds) * 2, _LONGEST_PAUSE_SECONDS)

    def reconcile(self) -> bool:
        """Has the server serve what is wanted; whether it does. What stands against it is in `state`."""
        if self._host is None:
            return True
        with self._lock:
            wanted = self._rows.wanted()[: self._most]
            try:
                self._seen = self._host.hosted()
            except HostingFailed as error:
                self._seen, self._fault = frozenset(), error
                return False
            if self._seen == {adapter.id for adapter in wanted} and self._host.agree():
                self._faults, self._fault = {}, None
                return True
            return self._apply(self._host.set, wanted)

    # --- what users do --------------------------------------------------------------------------------------------

    def host(self, adapter_id: str) -> Adapter:
        """Has an adapter hosted from the return of the call on; beyond the most allowed, the least used one goes.

        Raises `AdapterNotFound`, `AdapterRetired`, `AdapterChanged`, `AdapterInvalid`, and `HostingFailed` where the
        server does not take it, or where every place is taken by a promoted one. Then all stays as it was.
        """
        with self._lock:
            host = self._required_host()
            adapter = self._rows.get(adapter_id)
            served = self._served(adapter)
            others = [other for other in self._rows.wanted() if other.id != adapter_id]
            leaving = self._leaving(others)
            staying = [other for other in others if other not in leaving]
            host.set([*self._whole(staying), served])
            for other in leaving:
                self._rows.set_hosted(other.id, hosted=False)
                log.info("adapter_unloaded_for_another", adapter_id=other.id)
            self._rows.used([adapter_id])
            hosted = self._rows.set_hosted(adapter_id, hosted=True)
            self._note(host)
            log.info("adapter_hosted", adapter_id=adapter_id)
            return hosted

    def unhost(self, adapter_id: str) -> Adapter:
        """Has it not hosted any more; raises `AdapterNotFound`, and `HostingFailed` where it will go later."""
        with self._lock:
            adapter = self._rows.set_hosted(adapter_id, hosted=False)
            if self._host is not None:
                self._host.set(self._whole(self._rows.wanted()[: self._most]))
                self._note(self._host)
            log.info("adapter_unhosted", adapter_id=adapter_id)
            return adapter

    def hosted(self) -> frozenset[str]:
        """The adapters that the server was last seen to have; returns at once."""
        return self._seen

    def state(self) -> HostingState:
        """As it was when both sides were last compared."""
        wanted = tuple(adapter.id for adapter in self._rows.wanted())
        return HostingState(wanted, self._seen, dict(self._faults), self._fault)

    # --- parts ----------------------------------------------------------------------------------------------------

    def _required_host(self) -> AdapterHost:
        if self._host is None:
            raise HostingFailed(reason="this server's model takes no adapters")
        return self._host

    def _leaving(self, others: Sequence[Adapter]) -> list[Adapter]:
        """Those of the hosted, the last used first, that make room for one more; promoted ones stay."""
        surplus = len(others) + 1 - self._most
        idle = [other for other in reversed(others) if other.state != AdapterState.PROMOTED]
        if surplus > len(idle):
            raise HostingFailed(reason=f"promoted adapters take all {self._most} places (MQA_MAX_ADAPTERS)")
        return idle[: max(0, surplus)]

    def _served(self, adapter: Adapter) -> ServedAdapter:
        folder = self._verify(adapter)
        return ServedAdapter(adapter.id, folder, adapter.sha256, adapter.prompt, adapter.context_tokens)

    def _whole(self, adapters: Sequence[Adapter]) -> list[ServedAdapter]:
        """Those whose files are as they were; what is wrong with the others is noted."""
        whole = []
        for adapter in adapters:
            try:
                whole.append(self._served(adapter))
            except ManualqaError as error:
                self._blame(adapter.id, error)
        return whole

    def _apply(self, give: Callable[[Sequence[ServedAdapter]], None], wanted: Sequence[Adapter]) -> bool:
        """Gives the server what is wanted, without those that it blames; whether it has them all."""
        self._faults, self._fault = {}, None
        left = self._whole(wanted)
        while True:
            try:
                give(left)
                break
            except HostingFailed as error:
                guilty = [adapter for adapter in left if adapter.id == error.params.get("adapter")]
                if not guilty:
                    self._fault = error
                    log.warning("adapters_not_hosted", reason=error.params.get("reason"), detail=error.detail)
                    return False
                self._blame(guilty[0].id, error)
                left.remove(guilty[0])
        self._seen = frozenset(adapter.id for adapter in left)
        return not self._faults

    def _blame(self, adapter_id: str, error: ManualqaError) -> None:
        self._faults[adapter_id] = error
        log.warning("adapter_not_hosted", adapter_id=adapter_id, code=error.code(), detail=error.detail)

    def _note(self, host: AdapterHost) -> None:
        """What the server has after a change that went well."""
        self._seen, self._fault = host.hosted(), None
        self._faults = {name: error for name, error in self._faults.items() if name not in self._seen}
