"""Examples and run folders of tests."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from app.finetune.examples import Example, ExampleKind, stored_messages
from app.finetune.run_folder import RunFolder, write_run_folder
from app.finetune.training_config import TrainingConfig
from app.generate.context import select_passages
from app.generate.prompt import REFUSAL, completion, grounded_messages
from app.models.training_base import TrainingBase
from app.types import PromptKind
from tests.fixtures.passages import a_result

ROOT = Path(__file__).parents[3]


def an_example(number: int, *, text: str = "", refused: bool = False) -> Example:
    """An example about part `number`, whose passage says how many turns it takes."""
    fact = text or f"Turn the screw of part {number} by {number + 2} turns."
    question = f"How many turns does the screw of part {number} take?"
    passages = select_passages(question, a_result("Wear gloves." if refused else fact).hits, 200)
    answer = REFUSAL["en"] if refused else f"It takes {number + 2} turns."
    return Example(
        id=f"q{number}",
        messages=stored_messages(grounded_messages(question, passages, "en", PromptKind.SHORT)),
        completion=completion(None if refused else fact, answer, "en"),
        kind=ExampleKind.WITHHELD if refused else ExampleKind.ANSWERED,
        language="en",
        document="kettle.pdf",
        question=question,
    )


def a_config(**changes: Any) -> TrainingConfig:  # noqa: ANN401 - the fields' own
    """Twelve quick steps with an evaluation after every third."""
    values: dict[str, Any] = {
        "base": "tiny",
        "rank": 4,
        "alpha": 8,
        "learning_rate": 2e-2,
        "epochs": 3,
        "batch_size": 2,
        "accumulate": 1,
        "evaluate_every": 3,
        "patience": 0,
        "max_tokens": 2048,
        **changes,
    }
    return TrainingConfig(**values)


def a_run(folder: Path, base: TrainingBase, heldout: int = 3, **changes: Any) -> RunFolder:  # noqa: ANN401 - the fields' own
    """A run folder with eight examples to train on."""
    train = [an_example(number, refused=number % 4 == 3) for number in range(8)]
    return write_run_folder(
        folder, a_config(**changes), base, train, [an_example(20 + number) for number in range(heldout)]
    )


def start(run: RunFolder, *arguments: str, module: str = "app.finetune.training_child") -> subprocess.Popen[bytes]:
    """The child, started as the service starts it."""
    command = [sys.executable, "-m", module, str(run.path), *arguments]
    return subprocess.Popen(command, cwd=ROOT, env={**os.environ, "CUDA_VISIBLE_DEVICES": ""})
