"""What a benchmark says: one figure, next to its target and to the limit of the machine."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Iterator, Sequence

import msgspec


class Figure(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One figure. `target` is the least it should be, or the most where `at_most` is set.

    `limit` is what the bare loop (`benchmarks.limit`) makes of the same work in the same run, in the same
    unit; `note` says what a reader needs to repeat the figure.
    """

    name: str
    value: float
    unit: str
    target: float | None = None
    at_most: bool = False
    limit: float | None = None
    note: str = ""

    @property
    def verdict(self) -> str:
        """`ok`, `short`, or nothing where there is no target."""
        if self.target is None:
            return ""
        reached = self.value <= self.target if self.at_most else self.value >= self.target
        return "ok" if reached else "short"

    @property
    def share(self) -> float | None:
        """How near the figure comes to the limit; 1.0 is as fast as the bare loop."""
        if self.limit is None:
            return None
        return self.limit / self.value if self.at_most else self.value / self.limit


def missed(figures: Iterable[Figure]) -> list[str]:
    """The names of those that do not reach their target."""
    return [figure.name.strip() for figure in figures if figure.verdict == "short"]


def median(values: Sequence[float]) -> float:
    """The middle of several rounds."""
    return statistics.median(values)


def percentile(values: Sequence[float], rank: int) -> float:
    """The least value that so many in a hundred do not exceed."""
    return sorted(values)[-(-len(values) * rank // 100) - 1]


def lines(figures: Sequence[Figure]) -> Iterator[str]:
    """All figures for a person, one a line under one heading."""
    yield _line("figure", "value", "target", "", "of limit", "note")
    for figure in figures:
        share = "" if figure.share is None else f"{figure.share:.0%}"
        value = f"{number(figure.value)} {figure.unit}"
        yield _line(figure.name, value, _target(figure), figure.verdict, share, figure.note)


def number(value: float) -> str:
    """Three digits that mean something, with thousands set apart."""
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def _target(figure: Figure) -> str:
    if figure.target is None:
        return ""
    return f"{'≤' if figure.at_most else '≥'} {number(figure.target)}"


def _line(name: str, value: str, target: str, verdict: str, share: str, note: str) -> str:
    return f"  {name:<48} {value:>17} {target:>10} {verdict:<5} {share:>8}  {note}".rstrip()
