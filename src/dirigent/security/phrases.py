"""Phrases found in text by their words: many phrases, one pass, whatever the disguise.

A phrase is words with blanks between: `act now`. In it `a|b` is either word, `word*` any word that
begins so, `?word` may be missing, `#` is a number and `~` stands for up to three words of any kind. The
first word is written out (or `#`), so that each word of a text meets only the phrases it can begin; a
phrase has a bounded length, so time is proportional to the length of the text.

Words are compared in the form `security.text.skeleton` gives them; letters written as digits or signs
(`fr33`, `$ave`) and words written apart (`f r e e`) are read as the word when a phrase knows it.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator

import msgspec

from dirigent.domain.errors import InvalidInput
from dirigent.security.text import skeleton

GAP_WORDS_MAX = 3
PHRASE_WORDS_MAX = 12

_TOKEN = re.compile(r"[€$£@]?[^\W_](?:[^\W_]|['’$@|](?=[^\W_])|[.,](?=[0-9]))*+|!{2,}+|%")
_NUMBER = re.compile(r"[€$£]?[0-9][0-9.,]*[km]?")
_LINE_BREAK = re.compile(r"\|\s+")
_DISGUISE = re.compile(r"[0-9$@€£|]")
_PLAIN_LETTERS = str.maketrans("034578$@€£|", "oeastbsaell")
_LETTERS_OF_1 = ("i", "l")


class Phrase(msgspec.Struct, frozen=True, kw_only=True):
    """A phrase under the id of the pattern it belongs to."""

    id: str
    kind: str
    text: str


class Match(msgspec.Struct, frozen=True, kw_only=True):
    """A phrase that stands in a text, with the words that matched."""

    id: str
    kind: str
    excerpt: str


class _Word(msgspec.Struct, frozen=True):
    options: frozenset[str]
    stems: tuple[str, ...] = ()
    optional: bool = False
    number: bool = False
    gap: bool = False

    def fits(self, token: str) -> bool:
        if self.number:
            return _NUMBER.fullmatch(token) is not None
        return token in self.options or (bool(self.stems) and token.startswith(self.stems))


class PhraseBook:
    """A set of phrases, ready to be looked for."""

    def __init__(self, phrases: Iterable[Phrase]) -> None:
        starts: dict[str, list[tuple[Phrase, tuple[_Word, ...]]]] = defaultdict(list)
        vocabulary: set[str] = set()
        for phrase in phrases:
            words = _compile(phrase)
            for start in sorted(words[0].options) or ["#"]:
                starts[start].append((phrase, words))
            vocabulary.update(*(word.options for word in words))
        self._starts = dict(starts)
        self._vocabulary = frozenset(vocabulary)

    def find(self, text: str) -> tuple[Match, ...]:
        """The phrases in the text, each id once, in the order they stand there."""
        tokens = self._tokens(text)
        found: dict[str, Match] = {}
        for place, token in enumerate(tokens):
            starts = self._starts.get(token) or (None if token.isalpha() else self._numeric(token))
            for phrase, words in starts or ():
                if phrase.id in found or not _goes_on(words, tokens, place + 1):
                    continue
                end = _end_of_match(words, 1, tokens, place + 1)
                if end is not None:
                    excerpt = " ".join(tokens[place:end])[:60]
                    found[phrase.id] = Match(id=phrase.id, kind=phrase.kind, excerpt=excerpt)
        return tuple(found.values())

    def _numeric(self, token: str) -> list[tuple[Phrase, tuple[_Word, ...]]] | None:
        return self._starts.get("#") if _NUMBER.fullmatch(token) else None

    def _tokens(self, text: str) -> list[str]:
        tokens = [self._read(token) for token in _TOKEN.findall(skeleton(text))]
        return list(_together(tokens)) if sum(map(_is_letter, tokens)) >= 3 else tokens

    def _read(self, token: str) -> str:
        if token.isalpha():
            return token
        plain = _without_apostrophes(token)
        if plain in self._vocabulary or not _DISGUISE.search(plain) or _NUMBER.fullmatch(plain):
            return plain
        for letter in _LETTERS_OF_1:
            word = plain.replace("1", letter).translate(_PLAIN_LETTERS)
            if word in self._vocabulary:
                return word
        return plain


def _compile(phrase: Phrase) -> tuple[_Word, ...]:
    words = tuple(_word(phrase, part) for part in _LINE_BREAK.sub("|", phrase.text).split())
    if not words or len(words) > PHRASE_WORDS_MAX:
        raise _wrong(phrase, f"has {len(words)} words", f"Write 1 to {PHRASE_WORDS_MAX}.")
    if words[0].optional or words[0].gap or words[0].stems:
        raise _wrong(phrase, "begins with a wildcard", "Write the first word out.")
    return words


def _word(phrase: Phrase, part: str) -> _Word:
    if part == "~":
        return _Word(frozenset(), gap=True)
    if part == "#":
        return _Word(frozenset(), number=True)
    options = [_without_apostrophes(skeleton(option)) for option in part.removeprefix("?").split("|")]
    for option in options:
        if not _TOKEN.fullmatch(option.removesuffix("*")):
            raise _wrong(
                phrase, f"has {option!r} where a word should be", "Write words, a|b, word*, ?word, # or ~."
            )
    return _Word(
        options=frozenset(option for option in options if not option.endswith("*")),
        stems=tuple(option[:-1] for option in options if option.endswith("*")),
        optional=part.startswith("?"),
    )


def _wrong(phrase: Phrase, what: str, fix: str) -> InvalidInput:
    return InvalidInput(f"Phrase {phrase.text!r} of {phrase.id} {what}.", fix=fix)


def _without_apostrophes(word: str) -> str:
    return word.replace("'", "").replace("’", "")


def _goes_on(words: tuple[_Word, ...], tokens: list[str], place: int) -> bool:
    # Most phrases fail at their second word; seeing that here is the bulk of the speed.
    if len(words) == 1 or words[1].gap or words[1].optional:
        return True
    return place < len(tokens) and words[1].fits(tokens[place])


def _end_of_match(words: tuple[_Word, ...], number: int, tokens: list[str], place: int) -> int | None:
    if number == len(words):
        return place
    word = words[number]
    if word.gap:
        ends = (_end_of_match(words, number + 1, tokens, place + skip) for skip in range(GAP_WORDS_MAX + 1))
        return next((end for end in ends if end is not None), None)
    if place < len(tokens) and word.fits(tokens[place]):
        end = _end_of_match(words, number + 1, tokens, place + 1)
        if end is not None:
            return end
    return _end_of_match(words, number + 1, tokens, place) if word.optional else None


def _is_letter(token: str) -> bool:
    return len(token) == 1 and token.isalpha()


def _together(tokens: list[str]) -> Iterator[str]:
    letters: list[str] = []
    for token in tokens:
        if _is_letter(token):
            letters.append(token)
            continue
        yield from _joined(letters)
        letters = []
        yield token
    yield from _joined(letters)


def _joined(letters: list[str]) -> list[str]:
    return ["".join(letters)] if len(letters) >= 3 else letters
