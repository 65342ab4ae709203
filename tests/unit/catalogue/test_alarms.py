"""Alarms on a real catalogue, on both databases: what fires is kept with its notices once, whoever looks."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import pytest

from app.alarms.rules import Happening, Limit, Phase, Rule
from app.alarms.watching import Sources, Watcher
from app.catalogue.alarms import Alarms, Notice, NoticeState
from app.catalogue.movement import Movement
from app.catalogue.operations import Operations
from app.catalogue.tables import CallRow, EvaluationRow, FinetuneJobRow
from app.types import CallOutcome, Channel, JobState, Stage
from tests.fixtures.catalogues import Catalogue, a_file

AT = datetime(2026, 3, 5, 12, 0, tzinfo=UTC)
HOLD = 300.0
PAUSE = 60.0
WAITS = (15.0, 60.0, 240.0)
MOST_KEPT = 5
on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
"""For rules of time, which no database changes; the rest runs on both."""
LIMITS = {
    Rule.ERROR_RATE: Limit(Rule.ERROR_RATE, 0.1, HOLD, HOLD, 1200.0),
    Rule.JOB_MINUTES: Limit(Rule.JOB_MINUTES, 30.0, 0.0, HOLD, 3600.0),
    Rule.FREE_DISK_MB: Limit(Rule.FREE_DISK_MB, 2000.0, HOLD, HOLD, 1200.0),
}


@dataclass
class Clock:
    """Two clocks that go on together until a test sets one of them."""

    at: datetime = AT
    monotonic: float = 1000.0

    def passes(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)
        self.monotonic += seconds


@dataclass
class Scene:
    """A catalogue whose watchers look when a test says so."""

    catalogue: Catalogue
    clock: Clock = field(default_factory=Clock)
    free_mb: dict[str, int] = field(default_factory=dict)
    number: int = 0

    @property
    def alarms(self) -> Alarms:
        return Alarms(self.catalogue.sessions, MOST_KEPT)

    def watcher(self, process: str = "one", limits: dict[Rule, Limit] | None = None) -> Watcher:
        sources = Sources(
            Operations(self.catalogue.sessions),
            Movement(self.catalogue.sessions),
            lambda: self.free_mb.get(process, 10_000),
            lambda: {"one", "two"},
        )
        return Watcher(
            self.alarms,
            sources,
            LIMITS if limits is None else limits,
            ["webhook", "mail"],
            least_calls=10,
            window_seconds=HOLD,
            pause_seconds=PAUSE,
            process_id=process,
            monotonic=lambda: self.clock.monotonic,
        )

    def ask(self, base: str, *, failed: int, calls: int = 10) -> None:
        with self.catalogue.sessions.begin() as session:
            for one in range(calls):
                self.number += 1
                outcome = CallOutcome.FAILED if one < failed else CallOutcome.ANSWERED
                session.add(
                    CallRow(
                        id=f"call-{self.number}",
                        knowledge_base_id=base,
                        key_id="key-1",
                        channel=Channel.API,
                        asked_at=self.clock.at,
                        outcome=outcome,
                        total_seconds=1.0,
                    )
                )

    def go(self, seconds: float, *watchers: Watcher, base: str | None = None, failed: int = 0) -> None:
        """Time passes with ten questions a minute and the watchers looking."""
        for _ in range(round(seconds / PAUSE)):
            self.clock.passes(PAUSE)
            if base is not None:
                self.ask(base, failed=failed)
            for watcher in watchers:
                watcher.look(self.clock.at)

    def phase(self, rule: Rule = Rule.ERROR_RATE) -> str:
        return self.alarms.states()[rule].phase

    def told(self) -> list[tuple[str, str, str]]:
        """(rule, happening, way) of every notice, in the order in which they go out."""
        found = reversed(self.alarms.all(50))
        return [(alarm.rule, one.happening, one.way) for alarm in found for one in alarm.notices]


@pytest.fixture
def scene(catalogue: Catalogue) -> Scene:
    return Scene(catalogue)


def on_both(*happenings: Happening, rule: Rule = Rule.ERROR_RATE) -> list[tuple[str, str, str]]:
    return [(rule, happening, way) for happening in happenings for way in ("mail", "webhook")]


def test_an_alarm_fires_and_recovers_with_one_notice_each_on_every_way(scene: Scene) -> None:
    base, watcher = scene.catalogue.base().id, scene.watcher()
    scene.go(300, watcher, base=base)
    assert scene.phase() == Phase.OK
    scene.go(120, watcher, base=base, failed=4)
    assert (scene.phase(), scene.told()) == (Phase.PENDING, [])
    scene.go(600, watcher, base=base, failed=4)
    assert (scene.phase(), scene.told()) == (Phase.FIRING, on_both(Happening.FIRED))
    scene.go(900, watcher, base=base)
    assert (scene.phase(), scene.told()) == (Phase.OK, on_both(Happening.FIRED, Happening.RECOVERED))
    [alarm] = scene.alarms.all(10)
    assert alarm.recovered_at is not None
    assert (alarm.limit, alarm.last_figure) == (0.1, 0.0)
    assert 0.1 < alarm.figure <= 0.4
    assert alarm.fired_at < alarm.recovered_at


@on_sqlite
def test_one_failed_question_at_night_is_no_alarm(scene: Scene) -> None:
    base, watcher = scene.catalogue.base().id, scene.watcher()
    for _ in range(10):
        scene.ask(base, failed=1, calls=1)
        scene.go(300, watcher)
    assert (scene.phase(), scene.told()) == (Phase.OK, [])


@on_sqlite
def test_a_burst_of_failures_that_is_over_is_no_alarm(scene: Scene) -> None:
    base, watcher = scene.catalogue.base().id, scene.watcher()
    scene.ask(base, failed=50, calls=50)
    scene.go(1200, watcher)
    assert scene.told() == []


def test_several_processes_on_one_database_tell_once_and_no_sooner(scene: Scene) -> None:
    base, watchers = scene.catalogue.base().id, [scene.watcher("one"), scene.watcher("two")]
    scene.go(240, *watchers, base=base, failed=10)
    assert scene.phase() == Phase.PENDING
    scene.go(400, *watchers, base=base, failed=10)
    scene.go(1000, *watchers, base=base)
    assert scene.told() == on_both(Happening.FIRED, Happening.RECOVERED)


def test_processes_that_look_at_the_same_moment_tell_once(scene: Scene) -> None:
    base = scene.catalogue.base().id
    watchers = [scene.watcher(f"process-{number}") for number in range(4)]
    scene.go(300, watchers[0], base=base, failed=10)
    for watcher in watchers:
        watcher.look(scene.clock.at)
    scene.clock.passes(PAUSE)
    scene.ask(base, failed=10)
    together = threading.Barrier(4)

    def look(watcher: Watcher) -> None:
        together.wait()
        watcher.look(scene.clock.at)

    threads = [threading.Thread(target=look, args=(watcher,)) for watcher in watchers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert (scene.phase(), scene.told()) == (Phase.FIRING, on_both(Happening.FIRED))


@on_sqlite
def test_a_restart_neither_loses_an_alarm_nor_tells_it_again(scene: Scene) -> None:
    base = scene.catalogue.base().id
    scene.go(200, scene.watcher(), base=base, failed=10)
    scene.go(400, scene.watcher(), base=base, failed=10)
    assert scene.told() == on_both(Happening.FIRED)
    scene.clock.passes(3 * 3600)  # nobody looks, and that is no quiet
    scene.go(100, scene.watcher(), base=base, failed=10)
    assert (scene.phase(), scene.told()) == (Phase.FIRING, on_both(Happening.FIRED))
    scene.go(900, scene.watcher(), base=base)
    assert scene.told() == on_both(Happening.FIRED, Happening.RECOVERED)


@on_sqlite
@pytest.mark.parametrize("jump", [timedelta(days=400), timedelta(days=-400), timedelta(hours=1), timedelta(hours=-1)])
def test_a_clock_that_jumps_fires_nothing_and_ends_nothing_by_itself(scene: Scene, jump: timedelta) -> None:
    base, watcher = scene.catalogue.base().id, scene.watcher()
    scene.go(100, watcher, base=base, failed=10)
    scene.clock.at += jump
    scene.ask(base, failed=10)
    scene.go(200, watcher, base=base, failed=10)
    assert (scene.phase(), scene.told()) == (Phase.PENDING, [])
    scene.go(400, watcher, base=base, failed=10)
    assert scene.told() == on_both(Happening.FIRED)
    scene.clock.at += jump
    scene.ask(base, failed=10)
    scene.go(200, watcher, base=base, failed=10)
    assert (scene.phase(), scene.told()) == (Phase.FIRING, on_both(Happening.FIRED))
    scene.go(1200, watcher, base=base)
    assert scene.told() == on_both(Happening.FIRED, Happening.RECOVERED)


@on_sqlite
def test_an_alarm_that_lasts_is_told_again_but_not_over_notices_that_wait(scene: Scene) -> None:
    base, watcher = scene.catalogue.base().id, scene.watcher()
    scene.go(600, watcher, base=base, failed=10)
    scene.go(1300, watcher, base=base, failed=10)
    assert scene.told() == on_both(Happening.FIRED)
    while (taken := scene.alarms.take(["webhook", "mail"], scene.clock.at, WAITS)) is not None:
        scene.alarms.sent(taken[0], scene.clock.at)
    scene.go(1300, watcher, base=base, failed=10)
    assert scene.told() == on_both(Happening.FIRED, Happening.REMINDER)


@on_sqlite
def test_a_rule_that_is_turned_off_ends_its_alarm(scene: Scene) -> None:
    base = scene.catalogue.base().id
    scene.go(600, scene.watcher(), base=base, failed=10)
    rest = {rule: limit for rule, limit in LIMITS.items() if rule is not Rule.ERROR_RATE}
    scene.go(60, scene.watcher(limits=rest), base=base, failed=10)
    assert (scene.phase(), scene.told()) == (Phase.OK, on_both(Happening.FIRED, Happening.RECOVERED))
    [alarm] = scene.alarms.all(10)
    assert alarm.recovered_at is not None


@on_sqlite
def test_the_fullest_disk_of_all_processes_that_live_counts(scene: Scene) -> None:
    watchers = [scene.watcher("one"), scene.watcher("two")]
    scene.free_mb["two"] = 1999
    scene.go(400, *watchers)
    assert scene.told() == on_both(Happening.FIRED, rule=Rule.FREE_DISK_MB)
    assert scene.alarms.states()[Rule.FREE_DISK_MB].figure == 1999
    scene.free_mb["two"] = 5000
    scene.go(400, *watchers)
    assert scene.told() == on_both(Happening.FIRED, Happening.RECOVERED, rule=Rule.FREE_DISK_MB)
    scene.free_mb["gone"] = 1
    scene.watcher("gone").look(scene.clock.at)
    scene.go(400, *watchers)
    assert scene.phase(Rule.FREE_DISK_MB) == Phase.OK


@on_sqlite
def test_a_job_that_stands_still_is_told_of_and_one_that_comes_on_is_not(scene: Scene) -> None:
    base, watcher = scene.catalogue.base(), scene.watcher()
    one = scene.catalogue.processing(base)
    for pages in range(4):
        scene.catalogue.jobs.stage(one.job, Stage.RECOGNISING)
        scene.catalogue.jobs.progress(one.job, pages_done=pages)
        scene.go(1500, watcher)
    assert scene.told() == []
    scene.go(400, watcher)
    assert scene.told() == on_both(Happening.FIRED, rule=Rule.JOB_MINUTES)
    scene.catalogue.publish(base, one)
    scene.go(400, watcher)
    assert scene.told() == on_both(Happening.FIRED, Happening.RECOVERED, rule=Rule.JOB_MINUTES)


@on_sqlite
def test_documents_that_wait_with_nobody_at_work_stand_still(scene: Scene) -> None:
    base, watcher = scene.catalogue.base(), scene.watcher()
    scene.catalogue.queued(base)
    scene.go(1700, watcher)
    assert scene.told() == []
    scene.go(300, watcher)
    assert scene.phase(Rule.JOB_MINUTES) == Phase.FIRING


def test_every_queue_has_a_mark_that_changes_as_it_comes_on(scene: Scene) -> None:
    base, movement = scene.catalogue.base(), Movement(scene.catalogue.sessions)
    one = scene.catalogue.processing(base)
    with scene.catalogue.sessions.begin() as session:
        session.add(
            EvaluationRow(
                id="eval-1", knowledge_base_id=base.id, name="n", question_set="s", set_hash="h", questions="",
                settings={}, state=JobState.RUNNING, total=2,
            )
        )  # fmt: skip
        session.add(
            FinetuneJobRow(id="ft-1", name="n", base="b", config={}, examples={}, state=JobState.RUNNING, steps=10)
        )
    scene.catalogue.queued(base, a_file("b"))  # behind one that is under way
    before = movement.marks()
    assert set(before) == {one.job, "eval-1", "ft-1"}
    scene.catalogue.jobs.stepped(one.job, chunks_done=3)
    with scene.catalogue.sessions.begin() as session:
        session.get_one(EvaluationRow, "eval-1").revision += 1
        session.get_one(FinetuneJobRow, "ft-1").revision += 1
    after = movement.marks()
    assert set(after) == set(before)
    assert not set(after.values()) & set(before.values())


# --- notices ----------------------------------------------------------------------------------------------------------


def fire(scene: Scene, *happenings: Happening, ways: tuple[str, ...] = ("webhook",)) -> str:
    with scene.alarms.changing() as change:
        alarm_id = change.fired(Rule.ERROR_RATE, 0.1, 0.5, scene.clock.at)
        for happening in happenings:
            change.tell(alarm_id, happening, ways, 0.5, scene.clock.at)
    return alarm_id


def take(scene: Scene, *ways: str) -> Notice | None:
    taken = scene.alarms.take(ways or ("webhook",), scene.clock.at, WAITS)
    return None if taken is None else taken[0]


def test_a_notice_is_tried_after_ever_longer_waits_and_then_given_up(scene: Scene) -> None:
    fire(scene, Happening.FIRED)
    for number, wait in enumerate(WAITS):
        taken = take(scene)
        assert taken is not None
        assert taken.tries == number + 1
        scene.alarms.not_sent(taken, "the address does not answer", again=True)
        scene.clock.passes(wait - 1)
        assert take(scene) is None
        scene.clock.passes(1)
    assert take(scene) is None
    [alarm] = scene.alarms.all(1)
    assert [(one.state, one.tries, one.reason) for one in alarm.notices] == [
        (NoticeState.FAILED, len(WAITS), "the address does not answer")
    ]


def test_a_notice_that_was_taken_belongs_to_who_took_it_and_comes_back_where_that_one_died(scene: Scene) -> None:
    fire(scene, Happening.FIRED)
    assert take(scene) is not None
    assert take(scene) is None
    scene.clock.passes(WAITS[0])
    again = take(scene)
    assert again is not None
    scene.alarms.sent(again, scene.clock.at)
    scene.clock.passes(10_000)
    assert take(scene) is None


def test_notices_of_an_alarm_keep_their_order_on_a_way_and_ways_do_not_wait_for_each_other(scene: Scene) -> None:
    fire(scene, Happening.FIRED, Happening.RECOVERED, ways=("webhook", "mail"))
    first = take(scene, "webhook")
    assert first is not None
    assert first.happening == Happening.FIRED
    assert take(scene, "webhook") is None
    by_mail = take(scene, "mail")
    assert by_mail is not None
    assert by_mail.happening == Happening.FIRED
    scene.alarms.sent(by_mail, scene.clock.at)
    then = take(scene, "mail")
    assert then is not None
    assert then.happening == Happening.RECOVERED
    assert take(scene, "webhook") is None
    scene.alarms.not_sent(first, "the address does not answer", again=False)
    last = take(scene, "webhook")
    assert last is not None
    assert last.happening == Happening.RECOVERED


def test_a_clock_that_was_set_back_holds_up_no_notice(scene: Scene) -> None:
    fire(scene, Happening.FIRED)
    scene.clock.at -= timedelta(days=30)
    assert take(scene) is not None


def test_two_who_take_at_once_get_it_once(scene: Scene) -> None:
    fire(scene, Happening.FIRED)
    together, found = threading.Barrier(4), []

    def taking() -> None:
        together.wait()
        found.append(take(scene))

    threads = [threading.Thread(target=taking) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(found) == 4
    assert sum(one is not None for one in found) == 1


def test_the_oldest_that_are_over_go_and_one_that_fires_stays(scene: Scene) -> None:
    standing = fire(scene, Happening.FIRED)
    with scene.alarms.changing() as change:
        for _ in range(MOST_KEPT + 5):
            scene.clock.passes(1)
            alarm_id = change.fired(Rule.ERROR_RATE, 0.1, 0.5, scene.clock.at)
            change.recovered(alarm_id, 0.0, scene.clock.at)
    kept = scene.alarms.all(2 * MOST_KEPT)
    assert len(kept) == MOST_KEPT + 1
    assert kept[-1].id == standing
    assert kept[0].fired_at == scene.clock.at
    assert replace(kept[0], notices=()) == kept[0]
