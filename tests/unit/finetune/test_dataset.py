"""What a look at the data finds: repeats, leaks, lengths, previews, too little."""

from __future__ import annotations

import json

import pytest

from app.errors import TrainingSetTooSmall
from app.finetune.batching import grouped_order
from app.finetune.dataset import check_dataset
from app.finetune.tokenizing import ChatTokenizer
from app.models.training_base import TrainingBase
from tests.unit.finetune.factories import an_example


@pytest.fixture(scope="module")
def tokenizer(tiny_base: TrainingBase) -> ChatTokenizer:
    return ChatTokenizer.load(tiny_base.folder, tiny_base.name)


def test_repeats_leaks_and_long_ones_are_left_out(tokenizer: ChatTokenizer) -> None:
    train = [an_example(number, refused=number % 5 == 0) for number in range(15)]
    again, leak = an_example(3), an_example(21)
    long = an_example(30, text="Turn it and turn it. " * 300)
    checked = check_dataset([*train, again, leak, long], [an_example(21), an_example(22)], tokenizer, 2000)
    report = checked.report
    assert (report.repeated, report.leaking, report.too_long) == (1, 1, 1)
    assert [example.id for example in checked.train] == [example.id for example in train]
    assert report.train.kinds == {"withheld": 3, "answered": 12}
    assert report.train.languages == {"en": 15}
    assert report.shared_documents == ("kettle.pdf",)
    assert report.train.tokens.longest == max(checked.train_lengths)
    assert 0 < report.train.learned_tokens.median < report.train.tokens.median <= report.train.tokens.most
    assert json.loads(json.dumps(report.as_dict()))["sha256"] == report.sha256


def test_the_preview_shows_what_is_read_and_what_is_learned(tokenizer: ChatTokenizer) -> None:
    train = [an_example(number, refused=number == 7) for number in range(12)]
    previews = check_dataset(train, [an_example(21), an_example(22)], tokenizer, 2000).report.previews
    assert {preview.kind for preview in previews} == {"answered", "withheld"}
    learned = {preview.kind: preview.learned for preview in previews}
    assert learned["withheld"] == "Quote: none\nAnswer: Not stated in the manuals.<|im_end|>"
    assert all(preview.read.startswith("<|im_start|>system") for preview in previews)
    assert all(preview.learned not in preview.read for preview in previews)


def test_too_little_is_refused(tokenizer: ChatTokenizer) -> None:
    with pytest.raises(TrainingSetTooSmall, match="9 examples to train on and 2 held out"):
        check_dataset([an_example(n) for n in range(9)], [an_example(21), an_example(22)], tokenizer, 2000)


def test_examples_of_like_length_meet_in_another_order_each_epoch() -> None:
    lengths = [100 + 17 * (number * 7 % 50) for number in range(50)]
    orders = [grouped_order(lengths, 4, 1, epoch) for epoch in range(3)]
    assert all(sorted(order) == list(range(50)) for order in orders)
    assert len({tuple(order) for order in orders}) == 3
    assert grouped_order(lengths, 4, 1, 2) == orders[2]

    def padded(order: list[int]) -> int:
        batches = [order[start : start + 4] for start in range(0, len(order), 4)]
        return sum(len(batch) * max(lengths[index] for index in batch) for batch in batches)

    assert padded(orders[1]) < 1.15 * sum(lengths) < padded(list(range(50)))
    assert max(lengths[index] for index in orders[0][:4]) >= 0.85 * max(lengths)
