"""How hard a text is to read: the Automated Readability Index."""

from __future__ import annotations

import re

_WORD = re.compile(r"[^\W_]+(?:['’-][^\W_]+)*")
_END = re.compile(r"(?<![.?!])[.?!]++(?=\s|$)")  # in time in proportion to the text


def words_of(text: str) -> list[str]:
    """The words of a text, with their apostrophes and hyphens."""
    return _WORD.findall(text)


def sentences_of(text: str) -> list[str]:
    """The sentences of a text, without the marks that end them; a paragraph ends a sentence too."""
    parts = (part for paragraph in re.split(r"\n\s*\n", text) for part in _END.split(paragraph))
    return [" ".join(part.split()) for part in parts if _WORD.search(part)]


def automated_readability_index(text: str) -> float:
    """The school grade (United States) that a text asks for; 0 for an empty one.

    4.71 characters per word + 0.5 words per sentence - 21.43: Smith and Senter, "Automated Readability
    Index", Aerospace Medical Research Laboratories, AMRL-TR-66-220 (1967). It counts characters, not
    syllables, so it needs no dictionary.
    """
    words, sentences = words_of(text), sentences_of(text)
    if not words or not sentences:
        return 0.0
    characters = sum(len(word) for word in words)
    return max(0.0, 4.71 * characters / len(words) + 0.5 * len(words) / len(sentences) - 21.43)
