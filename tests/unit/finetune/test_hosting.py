"""What the catalogue wants hosted is hosted: by hand, over restarts, up to the most allowed, and without bad ones."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from app.catalogue.adapters import Adapter, AdapterRows, NewAdapter
from app.catalogue.promotions import NewPromotion, Promotions
from app.errors import AdapterChanged, AdapterNotFound, AdapterRetired, HostingFailed, ManualqaError
from app.finetune.hosting import Hosting
from app.generate.hosting import ServedAdapter
from app.types import PromptKind
from tests.fixtures.catalogues import Catalogue, a_catalogue
from tests.fixtures.waiting import wait_for


@dataclass
class KeptHost:
    """Keeps to the law of `AdapterHost` without a server; `away` is a server that does not answer."""

    there: frozenset[str] = frozenset()
    away: bool = False
    refused: set[str] = field(default_factory=set)
    begun: tuple[str, ...] | None = None
    sets: list[frozenset[str]] = field(default_factory=list)

    def begin(self, adapters: Sequence[ServedAdapter]) -> None:
        self.begun = tuple(adapter.id for adapter in adapters)
        self.set(adapters)

    def hosted(self) -> frozenset[str]:
        if self.away:
            raise HostingFailed(reason="no connection")
        return self.there

    def agree(self) -> bool:
        return True

    def set(self, adapters: Sequence[ServedAdapter]) -> None:
        wanted = frozenset(adapter.id for adapter in adapters)
        if self.away:
            raise HostingFailed(reason="no connection")
        for guilty in sorted(wanted & self.refused):
            raise HostingFailed(reason="it is refused", adapter=guilty)
        self.sets.append(wanted)
        self.there = wanted


class Scene:
    """A catalogue with adapters, whose files are as they were unless they are `changed`."""

    def __init__(self, catalogue: Catalogue) -> None:
        self.catalogue = catalogue
        self.rows = AdapterRows(catalogue.sessions)
        self.host = KeptHost()
        self.changed: set[str] = set()
        self.hosting = self.a_hosting()

    def a_hosting(self, most: int = 3) -> Hosting:
        return Hosting(self.rows, self._verify, self.host, most=most, check_seconds=0.02)

    def _verify(self, adapter: Adapter) -> Path:
        if adapter.retired:
            raise AdapterRetired(ref=adapter.id)
        if adapter.id in self.changed:
            raise AdapterChanged(ref=adapter.id, reason="its content is another")
        return Path(adapter.id)

    def an_adapter(self, name: str) -> str:
        new = NewAdapter(name, "base", "1", 8, 100, name.ljust(64, "0"), PromptKind.SHORT)
        return self.rows.add(f"ad-{name}", new, 100).id

    def wanted(self) -> set[str]:
        return {adapter.id for adapter in self.rows.wanted()}


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    with a_catalogue(tmp_path) as catalogue:
        made = Scene(catalogue)
        yield made
        made.hosting.stop()


def test_it_is_hosted_from_the_return_of_the_call_on_and_gone_again(scene: Scene) -> None:
    one, two = scene.an_adapter("one"), scene.an_adapter("two")
    assert scene.hosting.host(one).hosted
    scene.hosting.host(two)
    assert scene.host.there == scene.hosting.hosted() == scene.wanted() == {one, two}
    assert not scene.hosting.unhost(one).hosted
    assert scene.host.there == scene.hosting.hosted() == scene.wanted() == {two}


def test_beyond_the_most_allowed_the_one_used_longest_ago_goes(scene: Scene) -> None:
    one, two, three, four = (scene.an_adapter(name) for name in ("one", "two", "three", "four"))
    for adapter in (one, two, three):
        scene.hosting.host(adapter)
    scene.rows.used([one])
    scene.hosting.host(four)
    assert scene.host.there == scene.wanted() == {one, three, four}


def test_a_promoted_adapter_does_not_make_room(scene: Scene) -> None:
    adapters = [scene.an_adapter(name) for name in ("one", "two", "three", "four", "five")]
    promotions = Promotions(scene.catalogue.sessions)
    for number, adapter in enumerate(adapters[:3]):
        scene.hosting.host(adapter)
        if number != 1:
            base = scene.catalogue.base(f"manuals {number}")
            promotions.promote(NewPromotion(base.id, adapter, 100, "tests"))
    scene.hosting.host(adapters[3])
    assert scene.wanted() == {adapters[0], adapters[2], adapters[3]}
    base = scene.catalogue.base("more manuals")
    promotions.promote(NewPromotion(base.id, adapters[3], 100, "tests"))
    with pytest.raises(HostingFailed, match="all 3 places"):
        scene.hosting.host(adapters[4])
    assert scene.host.there == scene.wanted() == {adapters[0], adapters[2], adapters[3]}


def test_what_the_server_refuses_is_not_wanted(scene: Scene) -> None:
    one, two = scene.an_adapter("one"), scene.an_adapter("two")
    scene.hosting.host(one)
    scene.host.refused = {two}
    with pytest.raises(HostingFailed):
        scene.hosting.host(two)
    assert scene.host.there == scene.wanted() == {one}


def test_no_server_hears_of_files_that_have_changed(scene: Scene) -> None:
    one, two = scene.an_adapter("one"), scene.an_adapter("two")
    scene.hosting.host(one)
    scene.changed = {one, two}
    with pytest.raises(AdapterChanged):
        scene.hosting.host(two)
    assert scene.host.sets == [{one}]
    scene.host.there = frozenset()
    assert not scene.hosting.reconcile()
    assert scene.host.there == frozenset()
    assert {name: error.code() for name, error in scene.hosting.state().faults.items()} == {one: "adapter_changed"}


def test_unknown_and_retired_ones_are_said(scene: Scene) -> None:
    with pytest.raises(AdapterNotFound):
        scene.hosting.host("ad-none")
    one = scene.an_adapter("one")
    scene.rows.retire(one)
    with pytest.raises(AdapterRetired):
        scene.hosting.host(one)
    assert scene.host.sets == []


def test_a_model_that_takes_no_adapters_says_so(scene: Scene) -> None:
    one = scene.an_adapter("one")
    hosting = Hosting(scene.rows, scene._verify, None, most=3, check_seconds=1)
    hosting.start()
    with pytest.raises(HostingFailed, match="takes no adapters"):
        hosting.host(one)
    hosting.stop()


def test_a_server_that_comes_back_without_its_adapters_gets_them_again(scene: Scene) -> None:
    one = scene.an_adapter("one")
    scene.hosting.start()
    scene.hosting.host(one)
    scene.host.there = frozenset()
    assert wait_for(lambda: scene.host.there == {one})


def test_this_side_comes_back_and_the_server_starts_with_what_is_wanted(scene: Scene) -> None:
    one, two = scene.an_adapter("one"), scene.an_adapter("two")
    for adapter in (one, two):
        scene.rows.set_hosted(adapter, hosted=True)
    scene.rows.used([one])
    scene.host.there = frozenset({"ad-left-over"})
    scene.hosting.start()
    assert scene.host.begun == (one, two)
    assert scene.host.there == scene.hosting.hosted() == {one, two}


def test_a_lower_limit_holds_from_the_next_start_on(scene: Scene) -> None:
    adapters = [scene.an_adapter(name) for name in ("one", "two", "three")]
    for adapter in adapters:
        scene.hosting.host(adapter)
    again = scene.a_hosting(most=2)
    again.start()
    again.stop()
    assert scene.host.begun == (adapters[2], adapters[1])


def test_one_bad_adapter_does_not_keep_the_others_from_being_hosted(scene: Scene) -> None:
    good, bad = scene.an_adapter("good"), scene.an_adapter("bad")
    for adapter in (good, bad):
        scene.rows.set_hosted(adapter, hosted=True)
    scene.host.refused = {bad}
    scene.hosting.start()
    assert scene.host.there == {good}
    state = scene.hosting.state()
    assert set(state.wanted) == {good, bad}
    assert set(state.faults) == {bad}
    scene.host.refused = set()
    assert wait_for(lambda: scene.host.there == {good, bad})
    assert wait_for(lambda: scene.hosting.state().faults == {})


def test_a_server_that_is_away_gets_them_when_it_is_back(scene: Scene) -> None:
    one = scene.an_adapter("one")
    scene.rows.set_hosted(one, hosted=True)
    scene.host.away = True
    scene.hosting.start()
    assert wait_for(lambda: scene.hosting.state().fault is not None)
    assert scene.hosting.hosted() == frozenset()
    with pytest.raises(ManualqaError):
        scene.hosting.host(one)
    scene.host.away = False
    assert wait_for(lambda: scene.host.there == {one})
    assert wait_for(lambda: scene.hosting.state().fault is None)


def test_many_calls_at_once_end_in_one_state(scene: Scene) -> None:
    adapters = [scene.an_adapter(f"number-{number}") for number in range(6)]
    scene.hosting.start()
    threads = [threading.Thread(target=scene.hosting.host, args=(adapter,)) for adapter in adapters]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert scene.host.there == scene.hosting.hosted() == scene.wanted()
    assert len(scene.wanted()) == 3
