"""Hosting where the model server takes every adapter that is asked for: only what is wanted is written down."""

from __future__ import annotations

from app.catalogue.adapters import AdapterRows


class Wanted:
    """What is wanted is there at once; see the law of `Hosts`."""

    def __init__(self, rows: AdapterRows) -> None:
        self._rows = rows

    def host(self, adapter_id: str) -> None:
        self._rows.set_hosted(adapter_id, hosted=True)

    def unhost(self, adapter_id: str) -> None:
        self._rows.set_hosted(adapter_id, hosted=False)

    def hosted(self) -> frozenset[str]:
        return frozenset(adapter.id for adapter in self._rows.wanted())
