"""What a campaign says at its end: one line, and how to repeat it where it is red."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

RULE_OF_THREE = 3.0
VIOLATIONS_SHOWN = 20

GREEN, RED, VOID = 0, 1, 2


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """The outcome of one campaign.

    `counts` are named figures of the line, `details` what is said below it. `void` says why the campaign
    proves nothing although nothing went wrong: it did not reach the states it is there for. `repeat` is
    the command that runs it again with the same seed.
    """

    campaign: str
    trials: int
    unit: str
    repeat: str
    counts: Mapping[str, int] = field(default_factory=dict)
    details: Sequence[str] = ()
    violations: Sequence[str] = ()
    void: Sequence[str] = ()
    is_control: bool = False

    @property
    def status(self) -> int:
        """0 where it is green, 1 where something was violated, 2 where it is void."""
        if self.violations:
            return RED
        return VOID if self.void else GREEN

    def line(self) -> str:
        """Trials, counts, violations, the 95 % bound on the rate of failures, valid or void."""
        parts = [f"{self.trials:,} {self.unit}"]
        parts += [f"{count:,} {name}" for name, count in self.counts.items()]
        if not self.is_control:
            parts.append(f"{len(self.violations):,} violations")
            if not self.violations and self.trials:
                parts.append(f"below {RULE_OF_THREE / self.trials:.2%} of {self.unit} (95 %)")
        parts.append(("valid", "RED", "VOID")[self.status])
        return f"{self.campaign}: {', '.join(parts)}"

    def tell(self) -> None:
        """Print the line, what belongs to it, and how to repeat what went wrong."""
        print(self.line())
        for detail in self.details:
            print(f"    {detail}")
        for reason in self.void:
            print(f"    void: {reason}")
        for violation in self.violations[:VIOLATIONS_SHOWN]:
            print(f"    VIOLATED {violation}")
        if len(self.violations) > VIOLATIONS_SHOWN:
            print(f"    ... and {len(self.violations) - VIOLATIONS_SHOWN} more")
        if self.status != GREEN:
            print(f"    repeat: {self.repeat}")
        sys.stdout.flush()


def as_control(verdict: Verdict, planted: str) -> Verdict:
    """The verdict on a control: with a fault planted on purpose, the campaign has to be red."""
    seen = len(verdict.violations)
    missed = () if seen else (f"{planted} was planted, and {verdict.campaign} did not see it",)
    return replace(
        verdict,
        campaign=f"{verdict.campaign}, control: {planted}",
        counts={"violations, as there have to be": seen},
        details=tuple(verdict.violations[:1]),
        violations=missed,
        void=(),
        is_control=True,
    )


def worst(verdicts: Iterable[Verdict]) -> int:
    """The exit status of several campaigns: red before void before green."""
    statuses = {verdict.status for verdict in verdicts}
    return RED if RED in statuses else max(statuses, default=GREEN)


def percentile(values: Sequence[float], share: float) -> float:
    """The value below which a share of all values lies; 0 where there are none."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0
