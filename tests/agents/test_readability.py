"""How texts are taken apart, and how hard they are to read."""

import pytest

from dirigent.agents.language.readability import automated_readability_index, sentences_of, words_of


def test_the_readability_index_is_the_published_formula() -> None:
    """Nine words of 35 letters in one sentence: 4.71 * 35 / 9 + 0.5 * 9 - 21.43."""
    text = "The quick brown fox jumps over the lazy dog."
    assert len(words_of(text)) == 9
    assert automated_readability_index(text) == pytest.approx(max(0, 4.71 * 35 / 9 + 4.5 - 21.43))
    hard = "Notwithstanding considerable organisational complexities, internationalisation proceeded."
    assert automated_readability_index(hard) == pytest.approx(4.71 * 82 / 6 + 3 - 21.43)
    assert automated_readability_index("") == 0.0


def test_sentences_end_at_marks_and_paragraphs() -> None:
    """A number with a point does not end a sentence; an empty line does."""
    assert sentences_of("It cost 2.50 then. Really?\n\nKind regards\nAda") == [
        "It cost 2.50 then",
        "Really",
        "Kind regards Ada",
    ]
