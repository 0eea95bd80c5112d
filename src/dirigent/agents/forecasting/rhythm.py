"""Days on which nothing ever happens: that a shop sells nothing on Sundays is no lack of demand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

CHANCE_MAX = 0.001


@dataclass(frozen=True, slots=True, kw_only=True)
class Rhythm:
    """Which places of the cycle are open. The series begins with the cycle."""

    opened: tuple[bool, ...]

    @property
    def period(self) -> int:
        """How many steps of a cycle are open."""
        return sum(self.opened)

    def open_values(self, values: Sequence[float]) -> list[float]:
        """What happened on open steps."""
        cycle = len(self.opened)
        return [value for place, value in enumerate(values) if self.opened[place % cycle]]

    def count(self, start: int, steps: int) -> int:
        """How many of so many steps from a place on are open."""
        return sum(self.opened[place % len(self.opened)] for place in range(start, start + steps))

    def laid_out(self, start: int, values: Sequence[float], steps: int) -> list[float]:
        """Values of open steps, each at its step, with nothing in between."""
        left = iter(values)
        cycle = len(self.opened)
        return [next(left) if self.opened[place % cycle] else 0.0 for place in range(start, start + steps)]


def rhythm_of(values: Sequence[float], period: int) -> Rhythm:
    """The rhythm of a series. A place is closed where nothing but zeros is no chance."""
    opened = [any(values[place::period]) for place in range(period)]
    rest = [value for place, value in enumerate(values) if opened[place % period]]
    nothing = rest.count(0) / len(rest) if rest else 1.0
    seen = len(values) // period
    closing = nothing**seen < CHANCE_MAX
    return Rhythm(opened=tuple(found or not closing for found in opened))
