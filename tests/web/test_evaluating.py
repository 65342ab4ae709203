"""Evaluations from a file to their report and a comparison of two, and the list of jobs."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.web.browser import EN_DESKTOP, ZH_PHONE
from tests.web.looks import looks
from tests.web.person import Person
from tests.web.replies import TALKS
from tests.web.served import Served

pytestmark = pytest.mark.weights
look = looks(EN_DESKTOP, ZH_PHONE)  # both languages and both screens


def a_set(folder: Path) -> Path:
    """A question set of two questions that the model answers and two that no manual answers."""
    lines = []
    for language, talk in TALKS.items():
        known: dict[str, object] = {"file": talk.document, "page": talk.page, "answerable": True}
        lines.append({"id": f"{language}-1", "question": talk.question, **known})
        lines.append({"id": f"{language}-2", "question": talk.off_topic, "answerable": False})
    path = folder / "questions.jsonl"
    path.write_text("\n".join(json.dumps(line, ensure_ascii=False) for line in lines), encoding="utf-8")
    return path


def test_an_evaluation_is_started_watched_read_and_compared(person: Person, manuals: str, files: Path) -> None:
    addresses = []
    for _ in range(2):
        person.open("/evaluations")
        person.by("eval-base").select_option(manuals)
        person.by("eval-file").set_input_files(a_set(files))
        person.by("eval-start").click()
        expect(person.page).to_have_url(re.compile(r"/evaluations/eval\w*-\w+"))
        expect(person.by("eval-report")).to_be_visible()
        expect(person.page.get_by_text("100%").first).to_be_visible()
        addresses.append(person.page.url)
    report = person.by("eval-report").get_attribute("href")
    assert report is not None
    person.open(report)
    expect(person.page.get_by_text(TALKS["en"].question).first).to_be_attached()
    before, after = (address.rpartition("/")[2] for address in addresses)
    person.open("/evaluations")
    expect(person.by("eval-row").first).to_have_attribute("data-state", "done")
    person.by("eval-before").select_option(before)
    person.by("eval-after").select_option(after)
    person.by("eval-compare").click()
    expect(person.page).to_have_url(re.compile(rf"before={before}&after={after}"))
    expect(person.page.get_by_role("heading", level=1)).to_be_visible()


def test_a_bad_question_set_is_refused_with_its_line(person: Person, manuals: str, files: Path) -> None:
    bad = files / "bad.jsonl"
    bad.write_text('{"id": "a", "question": "What?"}\n{"id": "b"}\n', encoding="utf-8")
    person.watch.expect("status of 422")
    person.open("/evaluations")
    person.by("eval-base").select_option(manuals)
    person.by("eval-file").set_input_files(bad)
    person.by("eval-start").click()
    expect(person.page.get_by_role("alert")).to_contain_text("2")


def test_jobs_are_listed_with_their_states(person: Person, served: Served) -> None:
    """One that is done, and one that has failed with its reason."""
    base = served.base(f"jobs {person.look}")
    good, bad = f"good {person.look}.md", f"bad {person.look}.pdf"
    served.ended([served.upload(base, good, b"# Pump\n\nThe pump P-1 needs 3 bar.\n")])
    served.upload(base, bad, b"%PDF-1.4\n" + bytes(300))
    person.open("/jobs")
    row = person.by("job-row")
    expect(row.filter(has_text=good)).to_have_attribute("data-state", "done")
    expect(row.filter(has_text=bad)).to_have_attribute("data-state", "failed")
    expect(row.filter(has_text=bad)).to_contain_text(person.look.of(en="damaged", zh="损坏"))
    person.by("job-filter").select_option("failed")
    expect(row.filter(has_text=good)).to_have_count(0)
    expect(row.filter(has_text=bad)).to_be_visible()
