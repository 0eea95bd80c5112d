"""What the detectors find in a text, under the names that rules use: `pii.card_number`, `content.spam`."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from typing import Any

import msgspec

from dirigent.security import content, pii
from dirigent.security.slots import unfilled_slots
from dirigent.security.text import oddities

FILTERED = frozenset({"spam", "prohibited", "claim"})
TEXT_LENGTH_MAX = 500_000

_TAG = re.compile(r"<[^<>]*+>")


class Safety(msgspec.Struct, frozen=True, kw_only=True):
    """The three switches of the configuration; each works alone. All on unless a person turns one off.

    `content_filtering` is for prohibited terms, claims and spam wording, `pii_detection` for personal
    identifiers and secrets, `rate_limiting` for rules with a limit.
    """

    content_filtering: bool = True
    pii_detection: bool = True
    rate_limiting: bool = True


class Detections(msgspec.Struct, frozen=True):
    """Names of what was found, each with the patterns or kinds behind it."""

    found: dict[str, tuple[str, ...]] = {}

    def matching(self, name: str) -> tuple[str, ...]:
        """The patterns behind a name; `pii.*` and `content.*` stand for all of a family."""
        if name.endswith(".*"):
            family = name[:-1]
            return tuple(
                dict.fromkeys(p for n, found in self.found.items() if n.startswith(family) for p in found)
            )
        return self.found.get(name, ())


def detectable() -> frozenset[str]:
    """Every name that a rule may detect."""
    texts = {f"content.{kind}" for kind in content.kinds()} | {"content.hidden_text", "content.unfilled_slot"}
    return frozenset(
        texts | {f"pii.{kind}" for kind in pii.KINDS} | {"pii.national_id", "pii.*", "content.*"}
    )


def detect(text: str, safety: Safety) -> Detections:
    """Run every detector that is switched on over a text."""
    found: dict[str, tuple[str, ...]] = {}
    for name, pattern in _findings(text, safety):
        if pattern not in found.get(name, ()):
            found[name] = (*found.get(name, ()), pattern)
    return Detections(found)


def all_text(value: Any) -> str:
    """Every text inside a JSON value, one per line."""
    return "\n".join(_texts(value))


def visible_text(markup: str) -> str:
    """The text of an HTML part as a reader sees it, more or less."""
    return html.unescape(_TAG.sub(" ", markup)) if markup else ""


def _findings(text: str, safety: Safety) -> Iterator[tuple[str, str]]:
    for match in content.find_content(text):
        if safety.content_filtering or match.kind not in FILTERED:
            yield f"content.{match.kind}", match.id
    yield from (("content.hidden_text", kind) for kind in oddities(text))
    yield from (("content.unfilled_slot", "slot") for _ in unfilled_slots(text)[:1])
    if safety.pii_detection:
        for kind in (finding.kind for finding in pii.find_pii(text)):
            yield f"pii.{kind}", kind
            if kind in pii.NATIONAL_IDS:
                yield "pii.national_id", kind


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from _texts(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _texts(item)
