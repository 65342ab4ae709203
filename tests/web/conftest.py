"""One server and one browser for all tests of the pages; each test has a profile of its own, watched for faults."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from app.catalogue.keys import Role
from tests.fixtures.scripted_model import Fault
from tests.web.browser import EN_DESKTOP, LOOKS, MOST_WAIT_MS, Look, chromium, launched
from tests.web.looks import looks
from tests.web.payloads import BATCH, a_sheet, batches
from tests.web.person import Person
from tests.web.replies import TALKS
from tests.web.served import EN_MANUAL, MANUALS, ZH_MANUAL, Library, Served, a_scan, serving

expect.set_options(timeout=MOST_WAIT_MS)
FIGURE = "figure"


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """What was measured stands at the end of the run, whichever process measured it."""
    reports = [*terminalreporter.getreports("passed"), *terminalreporter.getreports("failed")]
    if figures := [line for report in reports for name, line in report.user_properties if name == FIGURE]:
        terminalreporter.section("figures of the web pages")
        for line in figures:
            terminalreporter.write_line(line)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """The system's Chromium; where there is none, what needs it is left out."""
    program = chromium()
    if program is None:
        pytest.skip("left out: there is no Chromium; `make browser` installs it")
    with launched(program) as running:
        yield running


@pytest.fixture(scope="session")
def served(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:  # noqa: ARG001 - or none
    with serving(tmp_path_factory.mktemp("web") / "data") as running:
        yield running
        assert "csp_report" not in (running.folder / "logs" / "server.log").read_text(encoding="utf-8")


@pytest.fixture(scope="session")
def library(served: Served) -> Library:
    """All that takes long is on its way from the first test on, in the order in which it is needed."""
    library = Library(served)
    library.begin("manuals", {name: (MANUALS / name).read_bytes() for name in (EN_MANUAL, ZH_MANUAL)})
    library.begin("scanned", {"scanned.pdf": a_scan(TALKS["en"].page)})
    sheets = {f"{batch[0]}.pdf": a_sheet(batch, title=batch[1]) for _, batch in batches(BATCH)}
    library.begin("sheets", sheets, threshold=-1.0)
    return library


@pytest.fixture(scope="session")
def manuals(library: Library) -> str:
    """A knowledge base with both sample manuals, ready."""
    return library.ready("manuals")


@pytest.fixture(scope="session")
def scanned(library: Library) -> str:
    """A knowledge base with one scanned page, read by OCR."""
    return library.ready("scanned")


@pytest.fixture(scope="session")
def sheets(library: Library) -> str:
    """A knowledge base of PDFs whose names, titles, outlines and text are payloads; every passage passes."""
    return library.ready("sheets")


@pytest.fixture(scope="session")
def many(served: Served) -> str:
    """A knowledge base whose list has 500 documents."""
    base = served.base("Five hundred")
    served.rows(base, [f"manual {number:03}.pdf" for number in range(500)])
    return base


@pytest.fixture(scope="session")
def quiet(library: Library, many: str) -> None:  # noqa: ARG001 - made before anything is measured
    """Nothing is on its way any more that would disturb a measurement."""
    for name in ("manuals", "scanned", "sheets"):
        library.ready(name)


look = looks(*LOOKS)


@pytest.fixture
def people(browser: Browser, served: Served) -> Iterator[Callable[..., Person]]:
    """Opens a profile: `people(look, role)`; without a role nobody is signed in. All are watched to the end."""
    there: list[Person] = []

    def person(
        look: Look = EN_DESKTOP,
        role: Role | None = Role.ADMIN,
        cookie: str | None = None,
        url: str | None = None,
    ) -> Person:
        if cookie is None and role is not None:
            cookie = served.cookie(role)
        there.append(Person.at(browser, served, look, cookie, url))
        return there[-1]

    yield person
    served.model_says(fault=Fault.NONE)
    for one in there:
        one.context.close()
    assert [fault for one in there for fault in one.watch.faults()] == []


@pytest.fixture
def person(people: Callable[..., Person], look: Look) -> Person:
    """Somebody who may do everything."""
    return people(look)


@pytest.fixture
def figure(record_property: Callable[[str, object], None]) -> Callable[[str], None]:
    """Takes a line that is shown at the end of the run."""
    return partial(record_property, FIGURE)


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """A folder for files to upload."""
    return tmp_path
