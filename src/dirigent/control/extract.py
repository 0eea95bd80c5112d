"""Extractive summaries: the sentences that say most of what many say, none of them changed.

Sentences are chosen as in SumBasic (Nenkova and Vanderwende 2005): the one whose words are most frequent
comes next, and words once said count less from then on. A sentence weighs by the score of its item.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

# The usual rule of thumb for English; without a tokenizer there is nothing better.
CHARACTERS_PER_TOKEN: Final = 4
SENTENCES_MAX: Final = 500

_END = re.compile(r"(?<=[.!?])\s+|\n+")
_WORD = re.compile(r"\w+")


@dataclass(frozen=True, kw_only=True)
class Source:
    """A text with the id it is cited by and how much it matters."""

    id: str
    text: str
    weight: float


@dataclass(frozen=True, kw_only=True)
class _Sentence:
    source: str
    text: str
    words: tuple[str, ...]
    weight: float

    @property
    def line(self) -> str:
        return f"[{self.source}] {self.text}"


def tokens_of(text: str) -> int:
    """About how many tokens a model reads in a text."""
    return math.ceil(len(text) / CHARACTERS_PER_TOKEN)


def extract(sources: Iterable[Source], budget_tokens: int) -> tuple[str, list[str]]:
    """Sentences within a budget, one per line behind the id of their source, and the ids used.

    They stand in the order of the sources. At most 500 sentences are looked at.
    """
    sentences = _sentences(sources)[:SENTENCES_MAX]
    chosen = sorted(_choose(sentences, budget_tokens))
    text = "\n".join(sentences[place].line for place in chosen)
    return text, list(dict.fromkeys(sentences[place].source for place in chosen))


def _sentences(sources: Iterable[Source]) -> list[_Sentence]:
    found: dict[tuple[str, ...], _Sentence] = {}
    for source in sources:
        for part in _END.split(source.text):
            words = tuple(word.lower() for word in _WORD.findall(part))
            if words:
                sentence = _Sentence(source=source.id, text=part.strip(), words=words, weight=source.weight)
                found.setdefault(words, sentence)
    return list(found.values())


def _choose(sentences: list[_Sentence], budget_tokens: int) -> list[int]:
    counts = Counter(word for sentence in sentences for word in sentence.words)
    total = sum(counts.values())
    chance = {word: count / total for word, count in counts.items()}
    left, chosen = budget_tokens, []
    open_places = set(range(len(sentences)))
    while open_places:
        best = min(open_places, key=lambda place: (-_worth(sentences[place], chance), place))
        open_places.remove(best)
        # A line costs its own tokens and at most one more for the break before it.
        cost = tokens_of(sentences[best].line + "\n")
        if cost <= left:
            left -= cost
            chosen.append(best)
            chance |= {word: chance[word] ** 2 for word in set(sentences[best].words)}
    return chosen


def _worth(sentence: _Sentence, chance: dict[str, float]) -> float:
    return sentence.weight * sum(chance[word] for word in sentence.words) / len(sentence.words)
