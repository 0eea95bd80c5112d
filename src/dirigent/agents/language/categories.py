"""What a text is about: the category of a taxonomy whose words it uses most, without any training.

A category knows the words of its name, and those of the subjects (`related_words.yaml`) that it is called
after. Words count by their stems; one that only looks like a known word (a slip, another form) counts in
part. What several categories share counts less for each. Where too little speaks for any, it is `other`.
"""

from __future__ import annotations

import functools
import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib import resources
from itertools import pairwise

import msgspec
import yaml

from dirigent.agents.language.stems import likeness, stems_of, trigrams_of
from dirigent.domain.errors import InvalidInput

OTHER = "other"
OTHER_CONFIDENCE = 0.2
OWN, STRONG, THING, HELPING = 2.0, 1.5, 0.9, 0.4
KIN = 0.5
EVIDENCE_MIN = 0.6
TOPIC_SHARE_MIN = 0.4
LIKENESS_MIN = 0.6
ALIKE_LENGTH_MIN = 4
DOUBT = 1.0
_REMEMBERED_MAX = 32_768
_JOINT = re.compile(r"(?<=[a-z])(?=[A-Z])")
_FILLING = frozenset(
    (
        "a",
        "an",
        "and",
        "cant",
        "for",
        "in",
        "issu",
        "my",
        "not",
        "of",
        "on",
        "or",
        "other",
        "our",
        "problem",
        "the",
        "to",
        "with",
        "your",
    )
)


class Subject(msgspec.Struct, frozen=True):
    """A subject that customers speak of, by stems: what it is called (a name is a set), and its words."""

    names: frozenset[frozenset[str]]
    strong: frozenset[str]
    things: frozenset[str]
    words: frozenset[str]


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """The category of a text, how sure that is (0 to 1), and the weight of every category that has any."""

    category: str
    confidence: float
    weights: Mapping[str, float]

    @property
    def topics(self) -> list[str]:
        """All that the text is about, what weighs most first: what has evidence and is not far behind."""
        least = max(EVIDENCE_MIN, TOPIC_SHARE_MIN * max(self.weights.values(), default=0.0))
        found = [name for name, weight in self.weights.items() if weight >= least]
        return sorted(found, key=lambda name: (-self.weights[name], name))


class Categoriser:
    """Sorts texts into the categories of one taxonomy (`checked_taxonomy`)."""

    def __init__(self, taxonomy: Sequence[str]) -> None:
        self.taxonomy = tuple(taxonomy)
        self._words = _shared_out(
            {name: _words_of(name) for name in self.taxonomy if name.casefold() != OTHER}
        )
        self._by_piece = _by_piece(self._words)
        self._weights_of = functools.lru_cache(maxsize=_REMEMBERED_MAX)(self._look_up)

    def find(self, text: str) -> Finding:
        """The category whose words weigh most in the text; `other` where too little speaks for any.

        Takes time in proportion to the text's length; every word is looked up once.
        """
        weights: dict[str, float] = {}
        for word, times in Counter(_with_pairs(stems_of(text))).items():
            for name, weight in self._weights_of(word):
                weights[name] = weights.get(name, 0.0) + weight * (1 + math.log(times))
        best = max(self.taxonomy, key=lambda name: weights.get(name, 0.0))
        if weights.get(best, 0.0) < EVIDENCE_MIN:
            return Finding(category=OTHER, confidence=OTHER_CONFIDENCE, weights=weights)
        confidence = round(weights[best] / (sum(weights.values()) + DOUBT), 4)
        return Finding(category=best, confidence=confidence, weights=weights)

    def _look_up(self, word: str) -> tuple[tuple[str, float], ...]:
        known = self._words.get(word, ())
        if known or len(word) < ALIKE_LENGTH_MIN or "_" in word:
            return known
        near = {near for piece in trigrams_of(word) for near in self._by_piece.get(piece, ())}
        alike, like = max(((likeness(word, other), other) for other in near), default=(0.0, ""))
        if alike < LIKENESS_MIN:
            return ()
        return tuple((name, weight * alike * alike) for name, weight in self._words[like])


def checked_taxonomy(taxonomy: Iterable[str]) -> tuple[str, ...]:
    """The names of a taxonomy, once it has some, each once.

    Raises `InvalidInput` for a name that is empty, that holds no letter, or that stands there twice.
    """
    names = tuple(name.strip() for name in taxonomy)
    folded = [name.casefold() for name in names]
    if not names:
        raise InvalidInput(
            "The taxonomy is empty.", fix="Name a category, or leave it out.", field="taxonomy"
        )
    for name, low in zip(names, folded, strict=True):
        if not any(character.isalpha() for character in name):
            raise InvalidInput(
                f"The category {name!r} has no letter.", fix="Give it a word for a name.", field="taxonomy"
            )
        if folded.count(low) > 1:
            raise InvalidInput(
                f"The category {name!r} is named twice.", fix="Name it once.", field="taxonomy"
            )
    return names


def _words_of(name: str) -> dict[str, float]:
    """The words that speak for a category, with their weight.

    Those of the subjects that it is called after; where it is called after none, those of subjects that
    know its words, in part.
    """
    own = [stem for stem in stems_of(_apart(name)) if stem not in _FILLING] or stems_of(_apart(name))
    called = [subject for subject in _subjects() if any(words <= set(own) for words in subject.names)]
    share = 1.0 if called else KIN
    found: dict[str, float] = {}
    for subject in called or [subject for subject in _subjects() if subject.strong & set(own)]:
        found |= dict.fromkeys(subject.words - found.keys(), HELPING * share)
        found |= dict.fromkeys(subject.things, THING * share)
        found |= dict.fromkeys(subject.strong, STRONG * share)
    return found | dict.fromkeys(own, OWN)


def _apart(name: str) -> str:
    """`lateDelivery` and `late_delivery` as two words."""
    return _JOINT.sub(" ", name).replace("_", " ")


def _with_pairs(stems: Sequence[str]) -> Iterator[str]:
    yield from stems
    for one, following in pairwise(stems):
        yield f"{one}_{following}"


def _shared_out(words: Mapping[str, Mapping[str, float]]) -> dict[str, tuple[tuple[str, float], ...]]:
    """By word, the categories that it speaks for; the more of them there are, the less it says."""
    found: dict[str, list[tuple[str, float]]] = {}
    for name, own in words.items():
        for word, weight in own.items():
            found.setdefault(word, []).append((name, weight))
    return {
        word: tuple((name, weight * _rarity(len(names), len(words))) for name, weight in names)
        for word, names in found.items()
    }


def _rarity(categories: int, total: int) -> float:
    return 1.0 if categories == 1 else 1.0 - math.log(categories) / math.log(total + 1)


def _by_piece(words: Iterable[str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for word in words:
        if len(word) >= ALIKE_LENGTH_MIN and "_" not in word:
            for piece in trigrams_of(word):
                found.setdefault(piece, []).append(word)
    return found


@functools.cache
def _subjects() -> tuple[Subject, ...]:
    file = resources.files(__package__).joinpath("related_words.yaml")
    data: list[dict[str, str]] = yaml.load(file.read_text(encoding="utf-8"), yaml.CSafeLoader)
    return tuple(_subject(entry) for entry in data)


def _subject(entry: Mapping[str, str]) -> Subject:
    names = frozenset(frozenset(stems_of(_apart(name))) for name in entry["names"].split())
    return Subject(names, *(_stemmed(entry.get(part, "")) for part in ("strong", "things", "words")))


def _stemmed(words: str) -> frozenset[str]:
    return frozenset("_".join(stems_of(_apart(word))) for word in words.split())
