"""The words that colour a text: what each is worth, and what turns, strengthens or weakens it."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Iterator, Mapping
from importlib import resources
from typing import Any

import msgspec
import yaml

STEM_LENGTH_MIN = 3
_REMEMBERED_MAX = 65_536
_STRETCHED = re.compile(r"(\w)\1{2,}")


class Worths:
    """What words are worth, looked up by the word, then by the longest stem that it begins with."""

    def __init__(self, groups: Mapping[float, str]) -> None:
        self._words: dict[str, float] = {}
        self._stems: dict[str, float] = {}
        for worth, entry in _entries(groups):
            if entry.endswith("*"):
                self._stems[entry[:-1]] = worth
            else:
                self._words[entry] = worth
        self._length_max = max((len(stem) for stem in self._stems), default=0)
        self.of = functools.lru_cache(maxsize=_REMEMBERED_MAX)(self._of)

    def _of(self, word: str) -> float | None:
        """What a word is worth, or None. A stretched one (`sooo gooood`) is read as it is usually written."""
        for form in _forms(word):
            if form in self._words:
                return self._words[form]
            longest = min(len(form), self._length_max)
            for length in range(longest, STEM_LENGTH_MIN - 1, -1):
                if form[:length] in self._stems:
                    return self._stems[form[:length]]
        return None


class Lexicon(msgspec.Struct, frozen=True, kw_only=True):
    """Words and phrases with their worth, and the words that change the worth of others.

    `phrases` maps a first word to the phrases that begin so, the longest first.
    """

    words: Worths
    phrases: dict[str, list[tuple[tuple[str, ...], float]]]
    negated: Worths
    emphasis: Worths
    negations: frozenset[str]
    turns: frozenset[str]
    spoiled: frozenset[str]
    faces: dict[str, float]

    def phrase_at(self, words: list[str], place: int) -> tuple[int, float] | None:
        """The longest phrase that begins at a place: how many words, and its worth."""
        for phrase, worth in self.phrases.get(words[place], ()):
            if tuple(words[place : place + len(phrase)]) == phrase:
                return len(phrase), worth
        return None


@functools.cache
def english() -> Lexicon:
    """The lexicon that comes with Dirigent."""
    file = resources.files(__package__).joinpath("sentiment_words.yaml")
    data: dict[str, Any] = yaml.load(file.read_text(encoding="utf-8"), yaml.CSafeLoader)
    return Lexicon(
        words=Worths(data["words"]),
        phrases=_phrases(data["words"]),
        negated=Worths(data["negated"]),
        emphasis=Worths(data["emphasis"]),
        negations=frozenset(data["negations"].split()),
        turns=frozenset(data["turns"].split()),
        spoiled=frozenset(data["too"].split()),
        faces={face: worth for worth, faces in data["faces"].items() for face in faces.split()},
    )


def _entries(groups: Mapping[float, str]) -> Iterator[tuple[float, str]]:
    return ((float(worth), entry) for worth, entries in groups.items() for entry in entries.split())


def _phrases(groups: Mapping[float, str]) -> dict[str, list[tuple[tuple[str, ...], float]]]:
    found: dict[str, list[tuple[tuple[str, ...], float]]] = {}
    for worth, entry in _entries(groups):
        if "_" in entry:
            words = tuple(entry.split("_"))
            found.setdefault(words[0], []).append((words, worth))
    for phrases in found.values():
        phrases.sort(key=lambda phrase: -len(phrase[0]))
    return found


def _forms(word: str) -> Iterable[str]:
    yield word
    if _STRETCHED.search(word):
        yield _STRETCHED.sub(r"\1\1", word)
        yield _STRETCHED.sub(r"\1", word)
