"""Trainings: what would be learned, the start, and curves that grow while one looks."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import expect

from app.catalogue.keys import Role
from app.types import JobState, TrainingStage
from tests.fixtures.codes import MANUAL, pairs
from tests.fixtures.training_rows import a_training_row
from tests.web.browser import EN_DESKTOP, ZH_PHONE, Look
from tests.web.person import Person
from tests.web.served import Served
from tests.web.test_accessibility import DARK_PHONE, LIGHT_DESKTOP, grave

pytestmark = pytest.mark.weights
People = Callable[..., Person]
EVIL = "<img src=x onerror=alert(1)>"


@pytest.mark.parametrize("look", [LIGHT_DESKTOP, DARK_PHONE], ids=str)
def test_curves_grow_while_one_looks(people: People, served: Served, manuals: str, look: Look) -> None:
    training = a_training_row(served.folder, manuals, f"{EVIL} {look}")
    person = people(look, Role.EDITOR)
    person.open(f"/finetune/{training.id}")
    expect(person.by("tune-chart").locator("svg")).to_have_count(0)
    training.steps(1, 10)
    chart = person.by("tune-chart")
    expect(chart.locator("circle")).to_have_count(3)
    expect(person.by("tune-progress")).to_contain_text("10")
    expect(person.by("figure-memory_mb")).to_contain_text("3.1 GB")
    training.steps(11, 25, step_20="overfitting")
    expect(chart.locator("circle")).to_have_count(6)
    expect(person.by("alarm")).to_have_count(1)
    assert grave(person) == []
    assert not person.page.evaluate("document.documentElement.scrollWidth > innerWidth")
    training.set(state=JobState.DONE, stage=TrainingStage.DONE)
    expect(person.by("tune-state")).to_have_attribute("data-state", "done")
    expect(chart.locator("circle")).to_have_count(6)
    person.by("tune-example").locator("summary").click()
    expect(person.by("tune-example").locator("mark")).to_contain_text("The tank is empty.")
    person.by("delete").click()
    person.by("delete-confirm").click()
    expect(person.page).to_have_url(re.compile(r"/finetune$"))


@pytest.mark.parametrize("look", [EN_DESKTOP, ZH_PHONE], ids=str)
def test_what_would_be_learned_is_shown_before_a_training_starts(
    people: People, served: Served, files: Path, look: Look
) -> None:
    base = served.base(f"codes {look}")
    served.ended([served.upload(base, "codes.md", MANUAL.encode())])
    path = files / f"pairs {EVIL[:4]}.jsonl"
    path.write_text(pairs(), encoding="utf-8")
    person = people(look, Role.EDITOR)
    person.open("/finetune")
    person.by("tune-base").select_option(base)
    person.by("tune-file").set_input_files(path)
    person.page.locator("#new details summary").click()
    person.by("tune-tokens").fill("4096")
    person.by("tune-rank").fill("4")
    person.by("tune-look").click()
    expect(person.by("tune-start")).to_be_visible(timeout=60_000)
    expect(person.by("tune-report")).to_contain_text("19")
    assert grave(person) == []
    person.by("tune-name").fill("another name")
    expect(person.by("tune-start")).to_be_hidden()
    person.by("tune-look").click()
    person.by("tune-start").click(timeout=60_000)
    expect(person.page).to_have_url(re.compile(r"/finetune/ft-\w+"))
    expect(person.page.get_by_role("heading", level=1)).to_have_text("another name")
    person.by("tune-cancel").click()
    expect(person.by("tune-state")).to_have_attribute("data-state", "cancelled", timeout=60_000)
    expect(person.by("tune-resume")).to_be_visible()


def test_pairs_with_mistakes_are_refused_with_their_lines(people: People, manuals: str, files: Path) -> None:
    bad = files / "bad.jsonl"
    bad.write_text(pairs(1) + json.dumps({"question": "How?"}) + "\n", encoding="utf-8")
    person = people(EN_DESKTOP, Role.EDITOR)
    person.watch.expect("status of 422")
    person.open("/finetune")
    person.by("tune-base").select_option(manuals)
    person.by("tune-file").set_input_files(bad)
    person.by("tune-look").click()
    expect(person.by("tune-fault")).to_contain_text("3")
    expect(person.by("tune-start")).to_be_hidden()
