"""Made-up manuals: repeatable, with words as frequent as a language's and vectors as close as an embedder's."""

from collections import Counter

import numpy as np
import pytest

from eval.bench.made_up import CHUNKS_A_DOCUMENT, DIMENSIONS, MadeUp


@pytest.fixture(scope="module")
def made() -> MadeUp:
    return MadeUp(7)


def test_the_same_number_is_the_same_document(made: MadeUp) -> None:
    one, again, other = made.document(3), MadeUp(7).document(3), made.document(4)
    assert one.texts == again.texts
    assert np.array_equal(one.vectors, again.vectors)
    assert one.texts[0] != other.texts[0]
    assert (len(one.texts), one.vectors.shape) == (CHUNKS_A_DOCUMENT, (CHUNKS_A_DOCUMENT, DIMENSIONS))


def test_words_are_as_frequent_as_zipf_says(made: MadeUp) -> None:
    counts = Counter(word for number in range(4) for text in made.document(number).texts for word in text.split())
    frequencies = [count for _, count in counts.most_common(1000)]
    # 1 / (rank + 2.7): the first is (100 + 2.7) / (1 + 2.7) times as frequent as the hundredth.
    assert frequencies[0] / frequencies[99] == pytest.approx(102.7 / 3.7, rel=0.2)


def test_vectors_are_of_length_one_and_lie_close_together(made: MadeUp) -> None:
    vectors = made.document(0).vectors
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(1.0, abs=1e-5)
    cosines = (vectors @ vectors.T)[np.triu_indices(len(vectors), 1)]
    assert 0.5 < cosines.mean() < 0.8
    assert cosines.max() < 0.95


def test_a_question_is_nearest_to_its_chunk(made: MadeUp) -> None:
    for number in range(20):
        question = made.question(number, documents=3)
        document = made.document(question.document)
        assert set(question.text.split()) <= set(document.texts[question.ordinal].split())
        assert int(np.argmax(document.vectors @ question.vector)) == question.ordinal
