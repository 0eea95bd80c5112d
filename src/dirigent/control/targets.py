"""How far target metrics are attained. What is not yet known is pending, never guessed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from dirigent.control.assessment import GoalExcerpt, MetricStanding, RelativeChange
from dirigent.control.outcomes import MEASURE, Work, is_per_item, number_of
from dirigent.control.statistics import wilson_interval

# Counts begin at nought and grow; of everything else nothing can be said before there is something.
COUNTS: Final = frozenset({"meetings_booked", "replies", "messages_sent", "leads_reactivated", "revenue"})
SENT_SHARES: Final = frozenset({"reply_rate", "open_rate", "conversion_rate"})
REPLIED_STATES: Final = ("replied", "meeting")
TOLERANCE: Final = 1e-9


@dataclass(frozen=True, kw_only=True)
class Standing:
    """A metric's standing, and attained over target; None where nothing can be said."""

    metric: MetricStanding
    attained: float | None

    @property
    def reached(self) -> bool:
        """Whether the target is measured and met."""
        measured = self.metric.state == "measured"
        return measured and self.attained is not None and self.attained >= 1 - TOLERANCE


@dataclass(frozen=True, kw_only=True)
class _Seen:
    value: float | None
    measured: bool
    why: str


def sent_of(work: Work) -> int:
    """How many messages are on record as sent."""
    return max(0, int(number_of(_measurement(work).get("sent")) or 0))


def standings(goal: GoalExcerpt, work: Work, released: int) -> dict[str, Standing]:
    """The standing of each target metric of a goal."""
    return {
        name: _standing(name, target, goal, _seen(name, work, released))
        for name, target in goal.target_metrics.items()
    }


def _standing(name: str, target: float | RelativeChange, goal: GoalExcerpt, seen: _Seen) -> Standing:
    if isinstance(target, RelativeChange):
        return _relative(name, target, goal, seen)
    metric = MetricStanding(target=target, observed=seen.value, state=_state(seen), why=seen.why)
    return Standing(metric=metric, attained=_ratio(seen.value, target))


def _relative(name: str, target: RelativeChange, goal: GoalExcerpt, seen: _Seen) -> Standing:
    """A change is measured from what the goal says was before; without that it stays pending."""
    baselines = goal.inputs.get("baseline")
    before = number_of(baselines.get(name)) if isinstance(baselines, Mapping) else None
    if before is None or before <= 0:
        why = f"What {name} was before is not known; give it as inputs.baseline.{name}."
        seen = _Seen(value=seen.value, measured=False, why=why)
    metric = MetricStanding(target=target, observed=seen.value, state=_state(seen), why=seen.why)
    if not seen.measured or seen.value is None or not before:
        return Standing(metric=metric, attained=0.0 if name in COUNTS else None)
    return Standing(metric=metric, attained=_change_ratio(seen.value / before - 1, target.relative_change))


def _state(seen: _Seen) -> Literal["pending", "measured"]:
    return "measured" if seen.measured else "pending"


def _ratio(value: float | None, target: float) -> float | None:
    if value is None:
        return None
    return max(0.0, value / target) if target > 0 else 1.0


def _change_ratio(change: float, wanted: float) -> float:
    if wanted == 0:
        return 1.0 if change >= -TOLERANCE else 0.0
    return max(0.0, change / wanted)


def _seen(name: str, work: Work, released: int) -> _Seen:
    measurement = _measurement(work)
    sent = sent_of(work)
    value = _measured(name, measurement)
    if value is not None and (sent or "sent" not in measurement):
        return _Seen(value=value, measured=True, why=_how_measured(name, value, sent))
    for step, output in work.items():
        stated = None if step == MEASURE or is_per_item(output) else _stated(output, name)
        if stated is not None:
            return _Seen(value=stated, measured=True, why=f"The step {step} states it.")
    return _Seen(value=0.0 if name in COUNTS else None, measured=False, why=_why_pending(sent, released))


def _measured(name: str, measurement: Mapping[str, Any]) -> float | None:
    if name == "messages_sent":
        return number_of(measurement.get("sent"))
    if name == "replies" and name not in measurement:
        return _replies(measurement)
    return number_of(measurement.get(name))


def _replies(measurement: Mapping[str, Any]) -> float | None:
    """Answers by the states of the messages; none yet is no result, since they may still come."""
    states = measurement.get("messages")
    if not isinstance(states, Mapping):
        return None
    return sum(number_of(states.get(state)) or 0.0 for state in REPLIED_STATES) or None


def _how_measured(name: str, value: float, sent: int) -> str:
    if name in SENT_SHARES and sent and 0 <= value <= 1:
        low, high = wilson_interval(round(value * sent), sent)
        return f"{value:.3g} of {sent} messages sent; with 95 % confidence between {low:.2f} and {high:.2f}."
    return f"{value:g} on record after {sent} messages sent." if sent else f"{value:g} on record."


def _why_pending(sent: int, released: int) -> str:
    if sent:
        return f"{sent} messages have been sent; nothing of it is on record yet."
    return f"No message has been sent yet; {released} are released."


def _stated(output: Any, name: str) -> float | None:
    return number_of(output.get(name)) if isinstance(output, Mapping) else None


def _measurement(work: Work) -> Mapping[str, Any]:
    found = work.get(MEASURE)
    return found if isinstance(found, Mapping) else {}
