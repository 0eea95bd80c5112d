"""How a text sounds: a lexicon, and rules for negation, emphasis, turns, capitals, faces and marks.

The score is the sum of what the words are worth, s / sqrt(s² + 12). The constants were set on two fifths
of the rows of four labelled sets; what is said of accuracy comes from the other rows.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from typing import Literal

import msgspec

from dirigent.agents.language.lexicon import Lexicon, english

Label = Literal["positive", "neutral", "negative"]

NEUTRAL_MAX = 0.1
REACH_WORDS = 4
EMPHASIS_WORDS = 2
TURNED_GOOD, TURNED_BAD = -0.7, -0.25
IDLE_NEGATION = -0.5
TOO_MUCH = -1.5
BEFORE_TURN, AFTER_TURN = 0.5, 1.4
CAPITALS, EXCLAIMED, ASKED = 1.3, 1.15, 0.5
SATURATION = 12.0

_TOKEN = re.compile(
    r"[a-z0-9]+(?:['’][a-z]+)?|[:;=]'?-?[)(D\]\[/]|<3|\^_\^|-_-|[.!?,;:()\n]|[^\x00-\x7f]", re.IGNORECASE
)
_NO_WORDS = re.compile(r"(?:https?://|www\.)\S+|@\w+|</?[a-z][^<>]{0,80}>", re.IGNORECASE)
_NOT = re.compile(r"n['’]t$")
_OWNER = re.compile(r"['’][a-z]+$")
_CLAUSE_ENDS = frozenset(".!?,;:()\n")
_SENTENCE_ENDS = frozenset(".!?\n")


class Tone(msgspec.Struct, frozen=True, kw_only=True):
    """How a text sounds, from -1 to 1; what its good and its bad words are worth; how many words it has."""

    score: float
    good: float
    bad: float
    words: int

    @property
    def label(self) -> Label:
        """The tone in a word; up to 0.1 from nothing is neutral."""
        if abs(self.score) <= NEUTRAL_MAX:
            return "neutral"
        return "positive" if self.score > 0 else "negative"


class _Coloured(msgspec.Struct):
    place: int
    worth: float


def tone_of(text: str, lexicon: Lexicon | None = None) -> Tone:
    """The tone of an English text; 0 where no word has any colour. Takes time in proportion to its length."""
    tokens = _TOKEN.findall(_NO_WORDS.sub(" ", text))
    reading = _Reading(tokens, lexicon or english())
    coloured = reading.coloured()
    _weigh_turns(coloured, reading.words, reading.lexicon.turns)
    _weigh_marks(coloured, reading.words)
    good = sum(one.worth for one in coloured if one.worth > 0)
    bad = -sum(one.worth for one in coloured if one.worth < 0)
    total = good - bad
    return Tone(
        score=round(total / math.sqrt(total * total + SATURATION), 4),
        good=round(good, 4),
        bad=round(bad, 4),
        words=sum(word[0].isalnum() for word in reading.words),
    )


class _Reading:
    """One text, read from left to right."""

    def __init__(self, tokens: Sequence[str], lexicon: Lexicon) -> None:
        self.lexicon = lexicon
        self.tokens = tokens
        self.words = [_plain(token) for token in tokens]
        self._shouting = _shouts(tokens)
        self._idle: set[int] = set()
        self._told: set[int] = set()  # what stands in a phrase, and says nothing else besides

    def coloured(self) -> list[_Coloured]:
        """What has colour, in order of its place; a negation that turns nothing round has a little itself."""
        found = [*self._with_worth(), *(_Coloured(place, IDLE_NEGATION) for place in self._idle)]
        return sorted(found, key=lambda one: one.place)

    def _with_worth(self) -> Iterator[_Coloured]:
        place = 0
        while place < len(self.words):
            phrase = self.lexicon.phrase_at(self.words, place)
            length, worth = phrase or (1, self._worth(place))
            negation = self.words[place] in self.lexicon.negations
            if phrase is not None:
                self._told.update(range(place, place + length))
            elif negation:
                self._idle.add(place)
            if not negation or phrase is None:
                worth = self._in_context(place, length, worth)
            if worth:
                yield _Coloured(place, worth * self._stress(place))
            place += length

    def _worth(self, place: int) -> float:
        word = self.words[place]
        if not word[0].isalnum():
            return self.lexicon.faces.get(word, 0.0)
        if place and self.words[place - 1] == "too" and word in self.lexicon.spoiled:
            return TOO_MUCH
        return self.lexicon.words.of(word) or 0.0

    def _in_context(self, place: int, length: int, worth: float) -> float:
        """The worth after what stands before it in its clause: a negation within reach, emphasis close by."""
        if not self.words[place][0].isalnum():
            return worth
        strength, negations = 1.0, []
        for distance, before in enumerate(range(place - 1, max(-1, place - 1 - REACH_WORDS), -1), 1):
            near = self.words[before]
            if near in _CLAUSE_ENDS or near in self.lexicon.turns:
                break
            if before in self._told:
                continue
            if near in self.lexicon.negations:
                negations.append(before)
            elif distance <= EMPHASIS_WORDS:
                strength *= self.lexicon.emphasis.of(near) or 1.0
        return self._turned(place, length, worth, negations) if len(negations) % 2 else worth * strength

    def _turned(self, place: int, length: int, worth: float, negations: list[int]) -> float:
        own = self.lexicon.negated.of("_".join(self.words[place : place + length]))
        if own is None and not worth:
            return 0.0
        self._idle.difference_update(negations)
        if own is not None:
            return own
        return worth * (TURNED_GOOD if worth > 0 else TURNED_BAD)

    def _stress(self, place: int) -> float:
        token = self.tokens[place]
        return CAPITALS if not self._shouting and len(token) > 2 and token.isupper() else 1.0


def _plain(token: str) -> str:
    """A word in lower case, `don't` as dont and `we'll` as we."""
    word = token.lower()
    if not word[0].isalnum():
        return token
    return _NOT.sub("nt", word) if _NOT.search(word) else _OWNER.sub("", word)


def _shouts(tokens: Sequence[str]) -> bool:
    """Whether most of a text is in capitals, so that they stress nothing."""
    words = [token for token in tokens if len(token) > 1 and token.isalpha()]
    return sum(word.isupper() for word in words) > len(words) / 2


def _weigh_turns(coloured: Sequence[_Coloured], words: Sequence[str], turns: frozenset[str]) -> None:
    """Within a sentence, what follows its last turn weighs more than what came before."""
    factors = [1.0] * len(words)
    start, turn = 0, -1
    for place, word in enumerate([*words, "."]):
        if word in turns:
            turn = place
        elif word in _SENTENCE_ENDS:
            if turn >= 0:
                factors[start:turn] = [BEFORE_TURN] * (turn - start)
                factors[turn:place] = [AFTER_TURN] * (place - turn)
            start, turn = place + 1, -1
    _multiply(coloured, factors)


def _weigh_marks(coloured: Sequence[_Coloured], words: Sequence[str]) -> None:
    """An exclamation mark strengthens the sentence that it ends, a question mark leaves it open."""
    weight = {"!": EXCLAIMED, "?": ASKED}
    factors = [1.0] * len(words)
    factor = 1.0
    for place in range(len(words) - 1, -1, -1):
        if words[place] in _SENTENCE_ENDS:
            factor = weight.get(words[place], 1.0)
        factors[place] = factor
    _multiply(coloured, factors)


def _multiply(coloured: Sequence[_Coloured], factors: Sequence[float]) -> None:
    for one in coloured:
        one.worth *= factors[one.place]
