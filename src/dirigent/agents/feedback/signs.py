"""What in a customer's words a person has to see before anybody answers."""

from __future__ import annotations

import functools
from importlib import resources
from typing import Literal

import yaml

from dirigent.security.content import find_instructions
from dirigent.security.phrases import Phrase, PhraseBook
from dirigent.security.pii import find_pii

Sign = Literal[
    "abuse", "discrimination", "health", "instructions", "leaving", "legal", "person_wanted", "personal_data",
    "privacy", "publicity", "refund", "self_harm", "threat",
]  # fmt: skip

CRITICAL: frozenset[Sign] = frozenset({"discrimination", "health", "legal", "self_harm", "threat"})
GRAVE: frozenset[Sign] = frozenset({"abuse", "privacy", "publicity", "refund"})

WHY: dict[Sign, str] = {
    "abuse": "It insults.",
    "discrimination": "It speaks of discrimination or harassment.",
    "health": "It speaks of harm to health or of a danger.",
    "instructions": "It holds text that gives orders to a machine; it was read as text and nothing more.",
    "leaving": "The customer is leaving.",
    "legal": "It speaks of lawyers, courts or authorities.",
    "person_wanted": "It asks for a person or an answer.",
    "personal_data": "It holds personal data, which a public answer must not repeat.",
    "privacy": "It speaks of personal data or of fraud.",
    "publicity": "It speaks of going to the public.",
    "refund": "It asks for money back.",
    "self_harm": "Somebody may harm themselves.",
    "threat": "It threatens.",
}


def signs_of(text: str) -> tuple[Sign, ...]:
    """The signs in a text, each once, by name. Takes time in proportion to its length."""
    found: set[Sign] = {match.kind for match in _book().find(text)}  # type: ignore[misc]
    if find_instructions(text):
        found.add("instructions")
    if find_pii(text):
        found.add("personal_data")
    return tuple(sorted(found))


@functools.cache
def _book() -> PhraseBook:
    file = resources.files(__package__).joinpath("signs.yaml")
    entries = yaml.load(file.read_text(encoding="utf-8"), yaml.CSafeLoader)
    return PhraseBook(
        Phrase(id=entry["id"], kind=entry["kind"], text=text)
        for entry in entries
        for text in entry["phrases"]
    )
