"""The pages of trainings: who sees what, with every name and example inert."""

from __future__ import annotations

import re

import pytest

from app.catalogue.keys import Role
from app.types import JobState, TrainingStage
from tests.fixtures.training_rows import TrainingRow, a_training_row
from tests.unit.api.conftest import Api
from tests.unit.api.web.test_pages import EVIL, NOBODY, ZH, page, role_of, tags


def shown(text: str) -> set[str]:
    return set(re.findall(r'data-testid="([\w-]+)"', text))


@pytest.fixture
def training(api: Api, kettle: str) -> TrainingRow:
    """One that seems to run; nothing wakes the queue."""
    made = a_training_row(api.services.settings.data_dir, kettle, f"tune {EVIL}", question=EVIL)
    made.steps(1, 10)
    return made


def test_without_a_session_the_pages_lead_to_the_sign_in_page(api: Api) -> None:
    for path in ("/finetune", "/finetune/ft-1"):
        answer = api.client.get(path, headers=NOBODY, follow_redirects=False)
        assert (answer.status_code, answer.headers["location"][:9]) == (303, "/sign-in?")
    assert "There is nothing here" in page(api, "/finetune/ft-none", 404)


def test_readers_see_and_editors_train(api: Api, training: TrainingRow) -> None:
    reader, editor = role_of(api, Role.READER), role_of(api, Role.EDITOR)
    assert "tune-row" in shown(page(api, "/finetune", **reader))
    assert not {"tune-look", "tune-start"} & shown(page(api, "/finetune", **reader))
    assert {"tune-look", "tune-start"} <= shown(page(api, "/finetune", **editor))
    path = f"/finetune/{training.id}"
    assert not {"tune-cancel", "tune-resume", "delete"} & shown(page(api, path, **reader))
    assert {"tune-cancel", "delete"} <= shown(page(api, path, **editor))
    training.set(state=JobState.CANCELLED)
    assert {"tune-resume", "delete"} <= shown(page(api, path, **editor))
    assert "tune-cancel" not in shown(page(api, path, **editor))
    training.set(state=JobState.DONE, stage=TrainingStage.DONE)
    assert "tune-resume" not in shown(page(api, path, **editor))


def test_names_and_examples_are_text_and_nothing_is_inline(api: Api, training: TrainingRow) -> None:
    for path in ("/finetune", f"/finetune/{training.id}"):
        text = page(api, path)
        assert "alert(1)</script>" not in text
        for tag, attributes in tags(text):
            assert not [key for key in attributes if key.startswith("on") or key == "style"], (path, tag)
            assert tag != "script" or "src" in attributes or attributes["type"] == "application/json"
        assert "训练" in page(api, path, **ZH)
    assert "tune-example" in shown(page(api, f"/finetune/{training.id}"))


def test_a_training_that_failed_says_why(api: Api, training: TrainingRow) -> None:
    training.set(state=JobState.FAILED, error_code="training_gave_up", error_params={"attempts": 3, "reason": "killed"})
    for path in ("/finetune", f"/finetune/{training.id}"):
        assert "killed" in page(api, path)
