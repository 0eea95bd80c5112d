"""Learning signals: what a run, or many, tell planner, agents and strategies to do differently.

A share is held against an expected one; how surely it differs (exact binomial test) is the strength of
the signal. The expected shares are house rules. A signal is always recorded, and applied when enough
samples stand behind it and it is strong enough.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Annotated, Any, Final, Literal

from pydantic import Field

from dirigent.control.anomalies import QUALITY, Anomaly
from dirigent.control.assessment import Count, Counts, DraftCount, ScoreCount, Share, TaskCount
from dirigent.control.outcomes import QUALITY_REASON
from dirigent.control.patterns import Pattern, recognize
from dirigent.control.statistics import binomial_confidence
from dirigent.domain.shape import Shape

PLANNER: Final = "planner"
EXPECTED_SUCCESS: Final = 0.9
TOLERATED_REASON: Final = 0.05
FAILING: Final = 0.5
NEARLY_ALL: Final = 0.95
EVEN_BELOW: Final = 0.6


class SignalRule(Shape):
    """How many samples a signal needs and how strong it must be to be applied."""

    min_samples: Annotated[int, Field(ge=1)] = 50
    threshold: Share = 0.7

    def applies(self, samples: int, strength: float) -> bool:
        """Whether a signal with these numbers is acted on."""
        return samples >= self.min_samples and strength >= self.threshold


class LearningSignal(Shape):
    """What to do differently, and how sure that is.

    `key` names whom it is for: an agent, the planner, a strategy. `effect` says it in words, `evidence`
    in numbers. `strength` is the confidence that the effect is no chance.
    """

    target: Literal["agent", "planner", "strategy"]
    key: str
    effect: str
    strength: Share
    samples: Count
    evidence: dict[str, Any]
    applied: bool


class Observation(Shape):
    """A share that was seen, and the one it is held against."""

    target: Literal["agent", "planner"]
    key: str
    measure: str
    about: str
    successes: Count
    trials: Count
    expected: Annotated[float, Field(gt=0, lt=1)]
    advice: str

    @property
    def share(self) -> float:
        """The share that was seen."""
        return self.successes / self.trials


def signals_of(counts: Counts, anomalies: Sequence[Anomaly], rule: SignalRule) -> list[LearningSignal]:
    """Every signal that these numbers and anomalies give."""
    patterns = recognize((trial, "") for trial in counts.tried)
    return [
        *(judge(observation, rule) for observation in _observations(counts)),
        *(signal for pattern in patterns for signal in _of_pattern(pattern, rule)),
        *(signal for anomaly in anomalies for signal in _of_anomaly(anomaly, counts, rule)),
    ]


def judge(observation: Observation, rule: SignalRule) -> LearningSignal:
    """The signal that one observation gives."""
    strength = binomial_confidence(observation.successes, observation.trials, observation.expected)
    return LearningSignal(
        target=observation.target,
        key=observation.key,
        effect=f"{observation.about}: {observation.share:.0%} of {observation.trials}, {observation.advice}",
        strength=strength,
        samples=observation.trials,
        evidence=observation.model_dump(exclude={"target", "key", "advice"}),
        applied=rule.applies(observation.trials, strength),
    )


def _observations(counts: Counts) -> Iterator[Observation]:
    for name, task in counts.tasks.items():
        if task.runs:
            yield from _of_task(name, task)
    for agent, drafts in counts.drafts.items():
        if drafts.drafted:
            yield from _of_drafts(agent, drafts)
    for agent, scores in counts.scores.items():
        if scores.scored:
            yield from _of_scores(agent, scores)
    if counts.selected and counts.drafts:
        yield _of_selection(counts)


def _of_task(name: str, count: TaskCount) -> Iterator[Observation]:
    agent, _, action = name.partition(".")
    good = count.runs - count.failures
    yield Observation(
        target="agent",
        key=agent,
        measure="success_rate",
        about=f"{action} succeeds",
        successes=good,
        trials=count.runs,
        expected=EXPECTED_SUCCESS,
        advice=f"{EXPECTED_SUCCESS:.0%} is expected",
    )
    if good / count.runs < FAILING:
        yield Observation(
            target="planner",
            key=PLANNER,
            measure="failing_task",
            about=f"{name} succeeds",
            successes=good,
            trials=count.runs,
            expected=FAILING,
            advice="plan without it or with another agent",
        )


def _of_drafts(agent: str, count: DraftCount) -> Iterator[Observation]:
    """How well an agent writes, and what holds messages back: faults go to it, recipients to the planner."""
    yield Observation(
        target="agent",
        key=agent,
        measure="pass_rate",
        about="messages pass quality control",
        successes=count.well_made,
        trials=count.drafted,
        expected=EXPECTED_SUCCESS,
        advice=f"{EXPECTED_SUCCESS:.0%} is expected",
    )
    for reason, held in count.reasons.items():
        own = reason.startswith(QUALITY_REASON)
        if held / count.drafted > TOLERATED_REASON:
            yield Observation(
                target="agent" if own else "planner",
                key=agent if own else PLANNER,
                measure="held_back",
                about=f"held back for {reason}",
                successes=held,
                trials=count.drafted,
                expected=TOLERATED_REASON,
                advice="avoid it" if own else "select and brief so that it does not occur",
            )


def _of_scores(agent: str, count: ScoreCount) -> Iterator[Observation]:
    """A score by which nearly all or nearly none are qualified does not help to choose."""
    share = count.qualified / count.scored
    if 1 - NEARLY_ALL < share < NEARLY_ALL:
        return
    yield Observation(
        target="agent",
        key=agent,
        measure="qualified_share",
        about="leads are qualified",
        successes=count.qualified,
        trials=count.scored,
        expected=NEARLY_ALL if share >= NEARLY_ALL else 1 - NEARLY_ALL,
        advice="the limit tells nobody apart; shift it or the weights",
    )


def _of_selection(counts: Counts) -> Observation:
    released = sum(count.released for count in counts.drafts.values())
    return Observation(
        target="planner",
        key=PLANNER,
        measure="yield",
        about="selected leads get a message that may be sent",
        successes=min(released, counts.selected),
        trials=counts.selected,
        expected=EXPECTED_SUCCESS,
        advice="select as many more as drop out on the way",
    )


def _of_pattern(pattern: Pattern, rule: SignalRule) -> Iterator[LearningSignal]:
    """A strategy against the others that were tried; alone, or even with them, it says nothing."""
    if "strategy" not in pattern.conditions or pattern.lift is None:
        return
    strength = max(pattern.confidence, 1 - pattern.confidence)
    if strength < EVEN_BELOW:
        return
    word = "more" if pattern.confidence >= 0.5 else "less"
    yield LearningSignal(
        target="strategy",
        key=pattern.conditions["strategy"],
        effect=f"{pattern.name}, {pattern.lift:.2f} times the average: use it {word}",
        strength=strength,
        samples=pattern.samples,
        evidence=pattern.effect.model_dump() | {"lift": pattern.lift},
        applied=rule.applies(pattern.samples, strength),
    )


def _of_anomaly(anomaly: Anomaly, counts: Counts, rule: SignalRule) -> Iterator[LearningSignal]:
    """An anomaly goes to the agent that the metric names, quality to those who wrote, else to the planner."""
    measure, _, subject = anomaly.metric.partition(":")
    writers = list(counts.drafts) if measure == QUALITY else []
    for key in [subject.partition(".")[0]] if subject else writers or [PLANNER]:
        yield LearningSignal(
            target="planner" if key == PLANNER else "agent",
            key=key,
            effect=anomaly.detail,
            strength=anomaly.confidence,
            samples=anomaly.samples,
            evidence=anomaly.model_dump(mode="json", include={"metric", "at", "value", "expected", "rule"})
            | {"measure": "anomaly", "about": anomaly.metric},
            applied=rule.applies(anomaly.samples, anomaly.confidence),
        )
