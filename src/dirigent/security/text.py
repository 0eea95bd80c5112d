"""Text as a reader sees it: what hides or disguises words is taken off before anything is matched.

Three views of a text, from gentle to rough: `shown` (compatibility forms, nothing invisible),
`undisguised` (also letters of a foreign script inside a Latin word) and `skeleton` (also case, accents
and every look-alike; for matching only, never for showing). Each is one pass over the text and each
is idempotent.

Sources: Unicode Standard Annex 15 (NFKC, NFKD), Unicode Technical Standard 39 (confusables, a short
table of the look-alikes of Latin letters), Unicode Technical Report 36 (invisible and bidi characters).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable

# Letters of other scripts and odd Latin ones that look like Latin letters, and what they look like.
_LOOKALIKES = {
    **dict(zip("АВЕЅКМНОРСТУХІЈԚԜԌ", "ABESKMHOPCTYXIJQWG", strict=True)),
    **dict(zip("аеѕорсухіјһԁԛԝӏкмтвнгп", "aesopcyxijhdqwlkmtbhrn", strict=True)),
    **dict(zip("ΑΒΕΖΗΙΚΜΝΟΡΤΥΧ", "ABEZHIKMNOPTYX", strict=True)),
    **dict(zip("αοορνιικτυχεηωγβ", "aooPviiktuxenwyb".lower(), strict=True)),
    **dict(zip("օհոսցք", "ohnugp", strict=True)),
}
_LATIN_VARIANTS = {
    **dict(zip("ıłøđħɑɡɩʋƒ", "ilodhagivf", strict=True)),
    **dict(zip("ᴀʙᴄᴅᴇꜰɢʜɪᴊᴋʟᴍɴᴏᴘʀꜱᴛᴜᴠᴡʏᴢ", "abcdefghijklmnoprstuvwyz", strict=True)),
    **{chr(0x1F150 + n): chr(97 + n) for n in range(26)},
    **{chr(0x1F170 + n): chr(97 + n) for n in range(26)},
    **{chr(0x1F1E6 + n): chr(97 + n) for n in range(26)},
    "ϲ": "c",
    "æ": "ae",
    "œ": "oe",
}
_SYMBOLS = {"€": "e", "$": "s", "¢": "c", "¥": "y", "£": "l"}

_KEPT_CONTROLS = "\t\n\r"
_BLANK_LETTERS = frozenset("\u034f\u115f\u1160\u3164\uffa0\u17b4\u17b5")
_VARIATION_SELECTOR = re.compile("[\ufe00-\ufe0f\U000e0100-\U000e01ef\u180b-\u180d]")

# The symbol stands first in the pattern, and what must go before it is looked back to: that is several
# times faster than a look-behind tried at every character.
_SYMBOL_IN_WORD = re.compile(r"[€$¢¥£](?<=[^\W\d_].)(?=[^\W\d_])")
_SYMBOL_IN_LATIN_WORD = re.compile(r"[€$¢¥£](?<=[A-Za-z].)(?=[A-Za-z])")
_WORD = re.compile(r"[^\W\d_]++")
_LATIN = re.compile("[A-Za-z]")
_MIXED = re.compile("[A-Za-z][{0}]|[{0}][A-Za-z]".format("".join(_LOOKALIKES)))

_ODDITIES = {
    "tag_characters": re.compile("[\U000e0000-\U000e007f](?<![\U0001f3f4\U000e0020-\U000e007f].)"),
    "bidi_control": re.compile("[\u202a-\u202e\u2066-\u2069]"),
    "zero_width": re.compile(r"[\u200b-\u200d\u2060-\u2064\ufeff](?<=[A-Za-z0-9].)"),
    "blank_letter": re.compile(f"[{''.join(sorted(_BLANK_LETTERS))}]"),
}
_TABLE_SIZE_MAX = 20_000


class _Table(dict[int, str]):
    """A translation table that works characters out when they are met, and remembers a bounded number."""

    def __init__(self, shape_of: Callable[[str], str]) -> None:
        super().__init__()
        self._shape_of = shape_of

    def __missing__(self, codepoint: int) -> str:
        shape = self._shape_of(chr(codepoint))
        if len(self) < _TABLE_SIZE_MAX:
            self[codepoint] = shape
        return shape


def _shown_shape(character: str) -> str:
    if _is_invisible(character):
        return ""
    if unicodedata.category(character) == "Nd":
        return str(unicodedata.digit(character))
    plain = unicodedata.normalize("NFKC", character)
    return "".join(c for c in plain if not _is_invisible(c))


def _skeleton_shape(character: str) -> str:
    return _LATIN_VARIANTS.get(character) or "".join(_bare(c) for c in _SHOWN[ord(character)])


_SHOWN = _Table(_shown_shape)
_SKELETON = _Table(_skeleton_shape)


def shown(text: str) -> str:
    """The text in compatibility form (full-width, mathematical and circled letters become plain ones,
    digits of every script become 0-9) without characters that do not show."""
    return text if text.isascii() and text.isprintable() else text.translate(_SHOWN)


def undisguised(text: str) -> str:
    """`shown`, and Latin words written with letters of another script, or with €, $ inside, made plain.

    Words that are wholly Cyrillic or Greek stay as they are, so that a rule may name them.
    """
    plain = shown(text)
    if not plain.isascii() and _MIXED.search(plain):
        plain = _WORD.sub(lambda word: _latinised(word.group()), plain)
    return _SYMBOL_IN_LATIN_WORD.sub(lambda symbol: _SYMBOLS[symbol.group()], plain)


def skeleton(text: str) -> str:
    """What remains for matching: lower case, no accents, every look-alike as the letter it looks like."""
    rough = text.lower() if text.isascii() else text.translate(_SKELETON)
    return _SYMBOL_IN_WORD.sub(lambda symbol: _SYMBOLS[symbol.group()], rough)


def origins(text: str) -> list[int]:
    """For every character of `shown(text)` the index in `text` it comes from, and the length at the end."""
    if len(shown(text)) == len(text):
        return list(range(len(text) + 1))
    places = [index for index, character in enumerate(text) for _ in _SHOWN[ord(character)]]
    return [*places, len(text)]


def oddities(text: str) -> tuple[str, ...]:
    """The kinds of disguise in a text: tag characters, bidi controls, zero-width characters inside a
    word, letters that are blank, words of mixed script. Empty for honest text in any language."""
    if text.isascii():
        return ()
    found = [kind for kind, pattern in _ODDITIES.items() if pattern.search(text)]
    return (*found, *(["mixed_script"] if _MIXED.search(shown(text)) else []))


def _is_invisible(character: str) -> bool:
    category = unicodedata.category(character)
    if category == "Cc":
        return character not in _KEPT_CONTROLS
    return (
        category in ("Cf", "Cs") or character in _BLANK_LETTERS or bool(_VARIATION_SELECTOR.match(character))
    )


def _bare(character: str) -> str:
    letter = _LATIN_VARIANTS.get(character) or _LOOKALIKES.get(character, character)
    decomposed = unicodedata.normalize("NFKD", letter.casefold())
    marks_off = "".join(c for c in decomposed if unicodedata.category(c) != "Mn")
    return "".join(_LATIN_VARIANTS.get(c) or _LOOKALIKES.get(c, c) for c in marks_off)


def _latinised(word: str) -> str:
    if word.isascii() or not _LATIN.search(word):
        return word
    return "".join(_LOOKALIKES.get(c, c) for c in word)
