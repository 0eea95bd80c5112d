"""What a text says: spam wording, prohibited terms and claims, required notices, instructions to machines.

The phrases are data, with ids, in the YAML files beside this module. A finding is an observation for a rule
to weigh or a person to read. In particular, text that gives instructions is never followed and never gives
authority; it is only noted.
"""

from __future__ import annotations

import functools
from importlib import resources

import yaml

from dirigent.domain.canonical import digest_of
from dirigent.security.phrases import Match, Phrase, PhraseBook

FILES = ("spam_patterns.yaml", "injection_patterns.yaml", "notice_patterns.yaml")


def find_content(text: str) -> tuple[Match, ...]:
    """Every pattern that the text matches, each once, in order; `kind` tells what sort it is."""
    return _book().find(text)


def find_instructions(text: str) -> tuple[Match, ...]:
    """Only wording that tries to instruct a machine."""
    return tuple(match for match in find_content(text) if match.kind == "injection")


@functools.cache
def kinds() -> frozenset[str]:
    """The kinds of findings there are."""
    return frozenset(phrase.kind for phrase in _phrases())


@functools.cache
def content_version() -> str:
    """Names the patterns in force, by content."""
    return digest_of([[phrase.id, phrase.kind, phrase.text] for phrase in _phrases()])


@functools.cache
def _book() -> PhraseBook:
    return PhraseBook(_phrases())


@functools.cache
def _phrases() -> tuple[Phrase, ...]:
    return tuple(
        Phrase(id=pattern["id"], kind=pattern["kind"], text=text)
        for file in FILES
        for pattern in yaml.load(_read(file), yaml.CSafeLoader)
        for text in pattern["phrases"]
    )


def _read(file: str) -> str:
    return resources.files(__package__).joinpath(file).read_text(encoding="utf-8")
