"""Words by their stems, and how alike two words look."""

from __future__ import annotations

import functools
import re

STEM_LENGTH_MIN = 3
_REMEMBERED_MAX = 65_536
_WORD = re.compile(r"[^\W_]+|[$£€]")
_WHOLE = frozenset(
    ("friendly", "unfriendly", "early", "only", "family", "lovely", "likely", "seating", "setting")
)
_DOUBLED = re.compile(r"([bdfgmnprt])\1$")
_VOWEL = re.compile(r"[aeiouy]")


def stems_of(text: str) -> list[str]:
    """The stems of a text's words, in order; signs of currencies are words."""
    return [stem_of(word) for word in _WORD.findall(text.lower().replace("'", "").replace("’", ""))]


@functools.lru_cache(maxsize=_REMEMBERED_MAX)
def stem_of(word: str) -> str:
    """What the forms of an English word have in common: delivery, delivers and delivered are `deliver`.

    The plurals of Harman's S stemmer ("How effective is suffixing?", JASIS 42 (1991)), then -ing, -ed and
    -ly, a final y and a final e.
    """
    if not word.isascii() or not word.isalpha() or word in _WHOLE:
        return word
    stem = _without_ending(_singular(word))
    for last in ("ey", "y", "e", "i"):
        if stem.endswith(last) and len(stem) - len(last) >= STEM_LENGTH_MIN:
            return stem.removesuffix(last)
    return stem


@functools.lru_cache(maxsize=_REMEMBERED_MAX)
def trigrams_of(word: str) -> frozenset[str]:
    """The pieces of three letters of a word, its ends marked."""
    marked = f"^{word}$"
    return frozenset(marked[place : place + 3] for place in range(len(marked) - 2))


def likeness(one: str, other: str) -> float:
    """How alike two words look, 0 to 1: the share of common pieces (Dice 1945)."""
    first, second = trigrams_of(one), trigrams_of(other)
    return 2 * len(first & second) / (len(first) + len(second)) if first and second else 0.0


def _singular(word: str) -> str:
    if word.endswith("ies") and len(word) > 4:
        return f"{word[:-3]}y"
    if word.endswith(("sses", "shes", "ches", "xes")):
        return word[:-2]
    if word.endswith("s") and not word.endswith(("ss", "us", "is")) and len(word) > STEM_LENGTH_MIN:
        return word[:-1]
    return word


def _without_ending(word: str) -> str:
    for ending in ("ing", "ed", "ly"):
        rest = word.removesuffix(ending)
        if rest != word and len(rest) >= STEM_LENGTH_MIN and _VOWEL.search(rest):
            return _DOUBLED.sub(r"\1", rest)
    return word
