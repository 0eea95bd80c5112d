"""What to do better, each recommendation with the numbers it rests on. House rules; no model is asked."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from dirigent.control.anomalies import QUALITY, RESPONSE_TIME, SUCCESS_RATE, Anomaly
from dirigent.control.assessment import (
    Assessment,
    Counts,
    MetricStanding,
    Recommendation,
    RecommendationKind,
    RelativeChange,
    Trial,
)
from dirigent.control.outcomes import REPLY_RATE
from dirigent.control.targets import COUNTS

REASONS_MAX: Final = 3
MEASURES: Final[Mapping[str, tuple[RecommendationKind, str]]] = {
    QUALITY: ("content", "Look at what has changed in templates and brief"),
    SUCCESS_RATE: ("agent", "Look at the failures, or give the task to another agent"),
    RESPONSE_TIME: ("scaling", "Look at what the agent waits for, or let more of it run at once"),
}


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What recommendations about a run draw on."""

    counts: Counts
    released: int
    sent: int
    why_no_leads: str

    @property
    def drafted(self) -> int:
        """How many messages were written."""
        return sum(count.drafted for count in self.counts.drafts.values())

    @property
    def reasons(self) -> dict[str, int]:
        """What held most messages back, the commonest first."""
        found: Counter[str] = Counter()
        for count in self.counts.drafts.values():
            found.update(count.reasons)
        return dict(sorted(found.items(), key=lambda item: (-item[1], item[0]))[:REASONS_MAX])


def recommend_for_run(
    metrics: Mapping[str, MetricStanding], attainment: Mapping[str, float | None], facts: Facts
) -> list[Recommendation]:
    """At least one recommendation per metric that is pending or missed, then what else the run shows."""
    found = [] if metrics else [_no_target()]
    for name, metric in metrics.items():
        attained = attainment.get(name)
        if metric.state == "pending":
            found.append(_for_pending(name, metric, facts))
        elif attained is None or attained < 1:
            found.append(_for_missed(name, metric, facts))
    return [*found, *_for_tasks(facts.counts), *_for_content(facts)]


def recommend_for_anomalies(anomalies: Sequence[Anomaly]) -> list[Recommendation]:
    """One recommendation per metric that is out of the ordinary, by its latest anomaly."""
    latest = {anomaly.metric: anomaly for anomaly in sorted(anomalies, key=lambda anomaly: anomaly.at)}
    return [_for_anomaly(anomaly) for _, anomaly in sorted(latest.items())]


def recommend(assessment: Assessment, anomalies: Sequence[Anomaly]) -> list[Recommendation]:
    """What the assessment recommends, and what anomalies add."""
    return [*assessment.recommendations, *recommend_for_anomalies(anomalies)]


def _no_target() -> Recommendation:
    text = "Name a target metric; without one nobody can say whether the goal was reached."
    return Recommendation(kind="process", text=text, evidence={"target_metrics": 0})


def _for_pending(name: str, metric: MetricStanding, facts: Facts) -> Recommendation:
    evidence = {"metric": name, "state": metric.state, "sent": facts.sent, "released": facts.released}
    if isinstance(metric.target, RelativeChange) and "inputs.baseline" in metric.why:
        return Recommendation(kind="process", text=metric.why, evidence=evidence)
    if facts.sent:
        text = f"Wait for answers to the {facts.sent} messages sent before {name} is judged."
        return Recommendation(kind="process", text=text, evidence=evidence)
    if facts.released:
        text = f"Approve and send the {facts.released} released messages; {name} can be measured after that."
        return Recommendation(kind="process", text=text, evidence=evidence)
    return _nothing_released(name, evidence, facts)


def _nothing_released(name: str, evidence: dict[str, Any], facts: Facts) -> Recommendation:
    evidence |= {"selected": facts.counts.selected, "drafted": facts.drafted}
    if not facts.counts.selected:
        why = facts.why_no_leads or "Nobody was selected."
        text = f"{why} Widen the segment or import newer records, so that {name} can be worked on."
        return Recommendation(kind="strategy", text=text, evidence=evidence)
    if facts.reasons:
        text = f"Mend what held every message back: {', '.join(facts.reasons)}."
        return Recommendation(kind="content", text=text, evidence=evidence | {"reasons": facts.reasons})
    text = f"No message was released, so nothing can move {name}; look at the tasks that failed."
    return Recommendation(kind="process", text=text, evidence=evidence)


def _for_missed(name: str, metric: MetricStanding, facts: Facts) -> Recommendation:
    target = metric.target if isinstance(metric.target, float) else metric.target.relative_change
    evidence = {"metric": name, "target": target, "observed": metric.observed, "sent": facts.sent}
    if name in COUNTS and facts.sent and metric.observed and isinstance(metric.target, float):
        more = math.ceil((metric.target - metric.observed) / (metric.observed / facts.sent))
        text = f"At the present rate about {more} more messages bring {name} to {metric.target:g}."
        return Recommendation(kind="strategy", text=text, evidence=evidence | {"more_messages": more})
    best = _best_strategy(facts.counts.tried)
    if best is not None:
        share = best.successes / best.trials
        text = f"Write more by the strategy {best.conditions['strategy']}, which {share:.0%} answered."
        return Recommendation(kind="strategy", text=text, evidence=evidence | {"trial": best.model_dump()})
    text = f"Try another strategy or occasion; {name} stands at {metric.observed:g} of {target:g}."
    return Recommendation(kind="strategy", text=text, evidence=evidence)


def _best_strategy(tried: Sequence[Trial]) -> Trial | None:
    """The strategy that was answered most, where several were tried."""
    answered = [trial for trial in tried if trial.measure == REPLY_RATE and trial.trials]
    if len(answered) < 2:
        return None
    return max(answered, key=lambda trial: trial.successes / trial.trials)


def _for_tasks(counts: Counts) -> Iterator[Recommendation]:
    for name, count in counts.tasks.items():
        if count.failures:
            text = f"{name} failed in {count.failures} of {count.runs} cases; look at why."
            yield Recommendation(kind="agent", text=text, evidence={"action": name, **count.model_dump()})


def _for_content(facts: Facts) -> Iterator[Recommendation]:
    if facts.reasons and facts.released:
        worst, count = next(iter(facts.reasons.items()))
        text = f"Mend {worst}: it held back {count} of {facts.drafted} messages."
        evidence = {"reasons": facts.reasons, "drafted": facts.drafted, "released": facts.released}
        yield Recommendation(kind="content", text=text, evidence=evidence)


def _for_anomaly(anomaly: Anomaly) -> Recommendation:
    kind, advice = MEASURES.get(anomaly.metric.partition(":")[0], ("process", "Look at what has changed"))
    evidence = anomaly.model_dump(mode="json", include={"metric", "at", "value", "expected", "rule"})
    return Recommendation(kind=kind, text=f"{advice}: {anomaly.detail}", evidence=evidence)
