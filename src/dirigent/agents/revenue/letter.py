"""Letters from templates: every slot carries its evidence, so every claim can be traced.

A slot reaches the template as a token that nothing in a template can take apart. The finished text is
cut into sentences while the tokens still stand in it; what sentence rests on which evidence is read
off, and only then are the tokens filled.
"""

from __future__ import annotations

import functools
import re
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from jinja2 import FileSystemLoader, StrictUndefined
from jinja2.sandbox import ImmutableSandboxedEnvironment

from dirigent.agents.revenue.leads import Strategy
from dirigent.domain.shape import Shape

TEMPLATES = Path(__file__).parent / "templates"
LINE_WIDTH = 76
# Ends the letter and begins the footer: RFC 3676, section 4.3.
DELIMITER = "-- "

_TOKEN = re.compile("\ue000(\\d+)\ue001")
_SENTENCE_END = re.compile(r"(?<=[.?!])\s+|\n+")


@dataclass(frozen=True, kw_only=True)
class Slot:
    """Words to put into a letter, and the place of their evidence in the list of evidence."""

    text: str
    evidence: int


class Claim(Shape):
    """A sentence of a message that states facts, and the places of its evidence."""

    text: str
    evidence: list[int]


@dataclass(frozen=True, kw_only=True)
class Letter:
    """A finished letter: its subject, its body in lines, and what it claims."""

    subject: str
    body: str
    claims: tuple[Claim, ...]


def render_letter(
    template: Strategy | Literal["introduction"],
    slots: Mapping[str, Slot | Sequence[Slot] | None],
    words: Mapping[str, str],
) -> Letter:
    """Fill a template with slots, which are facts, and words, which claim nothing.

    A slot that is None selects the variant without it; a name that a template does not find raises,
    so that no letter has a hole.
    """
    filled: list[Slot] = []
    tokens = {name: _tokens(slot, filled) for name, slot in slots.items()}
    text = _environment().get_template(f"{template}.j2").render({**words, **tokens})
    subject, _, body = text.partition("\n\n")
    whole = re.sub(r"\n{3,}", "\n\n", body.strip("\n"))
    return Letter(
        subject=_fill(" ".join(subject.split()), filled),
        body="\n".join(_wrapped(_fill(line, filled)) for line in whole.split("\n")) + "\n",
        claims=tuple(_claims(f"{subject}\n{whole}", filled)),
    )


def prose_of(body: str) -> str:
    """The letter without its footer."""
    return body.partition(f"\n{DELIMITER}\n")[0]


@functools.cache
def _environment() -> ImmutableSandboxedEnvironment:
    return ImmutableSandboxedEnvironment(
        loader=FileSystemLoader(TEMPLATES),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        autoescape=False,  # plain text, never HTML
    )


def _tokens(slot: Slot | Sequence[Slot] | None, filled: list[Slot]) -> str | list[str] | None:
    if slot is None:
        return None
    if isinstance(slot, Slot):
        filled.append(slot)
        return f"\ue000{len(filled) - 1}\ue001"
    first = len(filled)
    filled.extend(slot)
    return [f"\ue000{number}\ue001" for number in range(first, len(filled))]


def _claims(text: str, filled: Sequence[Slot]) -> list[Claim]:
    sentences = (sentence for sentence in _SENTENCE_END.split(text) if _TOKEN.search(sentence))
    return [
        Claim(
            text=_fill(sentence.strip(), filled),
            evidence=sorted({filled[int(number)].evidence for number in _TOKEN.findall(sentence)}),
        )
        for sentence in sentences
    ]


def _fill(text: str, filled: Sequence[Slot]) -> str:
    return _TOKEN.sub(lambda token: filled[int(token[1])].text, text)


def _wrapped(line: str) -> str:
    if line == DELIMITER:
        return line
    return textwrap.fill(line, LINE_WIDTH, break_long_words=False, break_on_hyphens=False)
