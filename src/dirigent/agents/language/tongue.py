"""Which language a text is in: by its letters where these tell, else by the small words it uses."""

from __future__ import annotations

import functools
import re
from collections import Counter
from importlib import resources

import msgspec
import yaml

ENGLISH = "en"
LETTERS_LOOKED_AT = 4_000
SMALL_WORDS_MIN = 2
LEAD = 1.5
NAMES = {
    "ar": "Arabic", "de": "German", "el": "Greek", "en": "English", "es": "Spanish", "fr": "French",
    "he": "Hebrew", "hi": "Hindi", "it": "Italian", "ja": "Japanese", "ko": "Korean", "nl": "Dutch",
    "pl": "Polish", "pt": "Portuguese", "ru": "Russian or Ukrainian", "sv": "Swedish", "th": "Thai",
    "tr": "Turkish", "zh": "Chinese",
}  # fmt: skip

_NO_WORDS = re.compile(r"(?:https?://|www\.)\S+|@\w+", re.IGNORECASE)
_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)?")
_LETTER = re.compile(r"[^\W\d_]")
_SCRIPTS = {
    "ja": re.compile(r"[\u3040-\u30ff]"),
    "zh": re.compile(r"[\u4e00-\u9fff]"),
    "ko": re.compile(r"[\uac00-\ud7af\u1100-\u11ff]"),
    "ru": re.compile(r"[\u0400-\u052f]"),
    "el": re.compile(r"[\u0370-\u03ff]"),
    "ar": re.compile(r"[\u0600-\u06ff]"),
    "he": re.compile(r"[\u0590-\u05ff]"),
    "hi": re.compile(r"[\u0900-\u097f]"),
    "th": re.compile(r"[\u0e00-\u0e7f]"),
}
SCRIPT_SHARE_MIN = 0.3


class Tongue(msgspec.Struct, frozen=True):
    """The language of a text by its code, or None where nothing tells; `clear` says whether it stands out."""

    code: str | None
    clear: bool

    @property
    def name(self) -> str:
        """The language in English."""
        return NAMES[self.code] if self.code else "an unknown language"

    @property
    def foreign(self) -> bool:
        """Whether it is clearly not English."""
        return self.clear and self.code != ENGLISH


def tongue_of(text: str) -> Tongue:
    """The language of the beginning of a text. A few words that could be anything are no language."""
    beginning = text[:LETTERS_LOOKED_AT]
    by_script = _by_script(beginning)
    if by_script is not None:
        return Tongue(by_script, clear=True)
    words = {word.lower().replace("’", "'") for word in _WORD.findall(_NO_WORDS.sub(" ", beginning))}
    counts = Counter(code for word in words for code in _small_words().get(word, ()))
    if not counts:
        return Tongue(None, clear=False)
    best, hits = max(counts.items(), key=lambda item: (item[1], item[0] == ENGLISH, item[0]))
    english = counts[ENGLISH]
    if best != ENGLISH and (hits < SMALL_WORDS_MIN or hits < LEAD * english):
        return Tongue(ENGLISH if english else None, clear=False)
    return Tongue(best, clear=hits >= SMALL_WORDS_MIN)


def _by_script(text: str) -> str | None:
    letters = len(_LETTER.findall(text))
    if not letters or text.isascii():
        return None
    found = {code: len(script.findall(text)) for code, script in _SCRIPTS.items()}
    # Japanese is written in Chinese letters with its own between.
    if found["ja"]:
        found["ja"] += found.pop("zh")
    best = max(found, key=lambda code: found[code])
    return best if found[best] >= SCRIPT_SHARE_MIN * letters else None


@functools.cache
def _small_words() -> dict[str, tuple[str, ...]]:
    file = resources.files(__package__).joinpath("tongue_words.yaml")
    data: dict[str, str] = yaml.load(file.read_text(encoding="utf-8"), yaml.CSafeLoader)
    found: dict[str, tuple[str, ...]] = {}
    for code, words in data.items():
        for word in words.split():
            found[word] = (*found.get(word, ()), str(code))
    return found
