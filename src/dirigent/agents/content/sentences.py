"""A text as paragraphs of sentences, and what stands in it: terms, and calls upon the reader."""

from __future__ import annotations

import re
import unicodedata

from dirigent.agents.language.readability import words_of

_MARKS = re.compile(r"[.?!]+")
_PARAGRAPH = re.compile(r"\n\s*\n")
_LINK = re.compile(r"https?://\S+")
_VERBS = """
    answer ask book browse call check choose comment compare contact discover download explore find follow get
    give hear join learn leave let meet order pick read register reply reserve save see send share shop sign
    start subscribe swipe taste tell try visit vote watch write
"""
_CALLS = frozenset(_VERBS.split())
_YOU = frozenset({"you", "your", "yours", "you'd", "you'll", "you've", "you're"})

Paragraphs = list[list[str]]


def paragraphs_of(text: str) -> Paragraphs:
    """The sentences of each paragraph, with the marks that end them."""
    parts = [" ".join(part.split()) for part in _PARAGRAPH.split(text)]
    return [_sentences_of(part) for part in parts if part]


def _sentences_of(paragraph: str) -> list[str]:
    """Marks end a sentence where a space follows, or nothing."""
    found, start = [], 0
    for marks in _MARKS.finditer(paragraph):
        if paragraph[marks.end() : marks.end() + 1].strip() == "":
            found.append(paragraph[start : marks.end()].strip())
            start = marks.end()
    return [sentence for sentence in (*found, paragraph[start:].strip()) if sentence]


def text_of(paragraphs: Paragraphs) -> str:
    """The text of paragraphs; empty ones are left out."""
    return "\n\n".join(" ".join(sentences) for sentences in paragraphs if sentences)


def folded(text: str) -> str:
    """A text in the form in which terms are looked for."""
    return unicodedata.normalize("NFKC", text).replace("\u2019", "'").casefold()


def has_term(text: str, term: str) -> bool:
    """Whether a term stands in a text as a word or words of its own, in any case."""
    words = r"\s+".join(map(re.escape, folded(term).split()))
    return re.search(rf"(?<!\w){words}(?!\w)", folded(text)) is not None


def without_term(text: str, term: str) -> str:
    """The text with a term taken out, and the spaces closed."""
    words = r"\s+".join(map(re.escape, term.split()))
    cut = re.sub(rf"(?<!\w){words}(?!\w)", "", text, flags=re.IGNORECASE)
    return re.sub(r"\s+([.,:;?!])", r"\1", re.sub(r"[^\S\n]{2,}", " ", cut)).strip()


def without_links(text: str) -> str:
    """The text as it is read: links left out."""
    return _LINK.sub("", text)


def calls_upon(sentence: str) -> bool:
    """Whether a sentence calls upon the reader: it begins with a verb to follow, or asks you something."""
    words = [word.casefold().replace("\u2019", "'") for word in words_of(sentence)]
    words = words[1:] if words[:1] == ["please"] else words
    if not words:
        return False
    return words[0] in _CALLS or (sentence.rstrip().endswith("?") and not _YOU.isdisjoint(words))
