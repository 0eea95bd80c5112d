"""The faults that are planted, as `planted.yaml` names them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import yaml

NAMED = Path(__file__).with_name("planted.yaml")


@dataclass(frozen=True, kw_only=True)
class Mutant:
    """One fault: in `file`, below `src/dirigent`, `new` stands in place of `old`.

    `tests` are those that ought to see it, for what simulation does not reach.
    """

    name: str
    file: str
    old: str
    new: str
    tests: tuple[str, ...] = ()


class Unplanted(LookupError):
    """The text of a mutant does not stand where it should, exactly once."""


def planted() -> list[Mutant]:
    """All of them, in the order of the file."""
    found = yaml.safe_load(NAMED.read_text(encoding="utf-8"))
    return [Mutant(**{**named, "tests": tuple(named.get("tests", ()))}) for named in found]


def plant(mutant: Mutant, source: Path) -> None:
    """Put a fault into a copy of `src`; raises `Unplanted` where its text is not found exactly once."""
    path = source / "dirigent" / mutant.file
    text = path.read_text(encoding="utf-8")
    times = text.count(mutant.old)
    if times != 1:
        raise Unplanted(f"{mutant.name}: its text stands {times} times in {mutant.file}, not once")
    path.write_text(text.replace(mutant.old, mutant.new), encoding="utf-8")
