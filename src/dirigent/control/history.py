"""What has been learned, as it lies in memory: outcomes, statistics of agents, signals, patterns.

Items carry numbers, names of rules and the words of the goal without identifiers; no lead, no message.
The learner writes them under ids made from the execution, so that learning twice from one run changes
nothing; what is asked of many runs is added up when it is read.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import reduce
from typing import Annotated, Any, Final, TypeVar

from pydantic import AwareDatetime, Field, ValidationError

from dirigent.control.anomalies import (
    QUALITY,
    RESPONSE_TIME,
    SUCCESS_RATE,
    Baseline,
    MetricPoint,
    baseline_of,
)
from dirigent.control.assessment import Count, Counts, Share
from dirigent.control.patterns import PATTERN, Pattern, read_stated, recognize
from dirigent.control.signals import LearningSignal
from dirigent.control.statistics import wilson_interval
from dirigent.domain.shape import Excerpt, Shape
from dirigent.ports import BoundMemory, MemoryItem

OUTCOME: Final = "outcome"
SIGNAL: Final = "signal"
AGENT_STATS: Final = "agent_stats"
LEARNED_KINDS: Final = frozenset({OUTCOME, SIGNAL, AGENT_STATS})

# The newest runs count; what is older no longer says how things are.
RUNS_MAX: Final = 200
READ_MAX: Final = 1000
BASELINE_RUNS_MIN: Final = 10

E = TypeVar("E", bound=Excerpt)


class AgentRun(Shape):
    """How often an action ran in one execution, how often it failed, and the time of all runs together."""

    runs: Count = 0
    failures: Count = 0
    duration_ms: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.0

    def plus(self, other: AgentRun) -> AgentRun:
        """The numbers of both."""
        return AgentRun(
            runs=self.runs + other.runs,
            failures=self.failures + other.failures,
            duration_ms=self.duration_ms + other.duration_ms,
        )


class Outcome(Excerpt):
    """What became of one execution; `quality` is None where nothing came of it, `actions` are what it ran."""

    execution_id: str
    goal_type: str
    plan_id: str = ""
    at: AwareDatetime
    goal_achieved: bool = False
    attainment: dict[str, float | None] = Field(default_factory=dict)
    quality: Share | None = None
    counts: Counts = Field(default_factory=Counts)
    actions: dict[str, AgentRun] = Field(default_factory=dict)


class AgentStats(Excerpt):
    """What one execution says of the actions it ran."""

    execution_id: str
    actions: dict[str, AgentRun]


class StoredSignal(Excerpt):
    """A signal, the execution that gave it, and that execution's goal type."""

    execution_id: str
    goal_type: str
    signal: LearningSignal


class Success(Shape):
    """The share of runs that succeeded, with the 95 % interval of Wilson."""

    rate: Share
    runs: Count
    low: Share
    high: Share


class AppliedSignal(Shape):
    """A signal in force, by its id in memory."""

    id: str
    target: str
    key: str
    effect: str
    strength: Share
    samples: Count


def read_outcomes_of(memory: BoundMemory, goal_type: str) -> list[tuple[str, Outcome]]:
    """The newest outcomes of a goal type with their ids, the newest first."""
    items = _read(memory.list(kind=OUTCOME, limit=READ_MAX), Outcome)
    return [(item.id, outcome) for item, outcome in items if outcome.goal_type == goal_type][:RUNS_MAX]


def read_agents(memory: BoundMemory) -> tuple[dict[str, AgentRun], list[str]]:
    """The runs of each action over the newest executions of all goal types, and the ids behind them."""
    items = list(_read(memory.list(kind=AGENT_STATS, limit=RUNS_MAX), AgentStats))
    found: dict[str, AgentRun] = {}
    for _, stats in items:
        for name, run in stats.actions.items():
            found[name] = found.get(name, AgentRun()).plus(run)
    return found, [item.id for item, _ in items]


def read_applied(memory: BoundMemory, goal_type: str) -> list[AppliedSignal]:
    """The signals in force: the applied ones of the latest execution, which weighed all before it."""
    items = _read(memory.list(kind=SIGNAL, limit=READ_MAX), StoredSignal)
    ours = [(item, stored) for item, stored in items if stored.goal_type == goal_type]
    if not ours:
        return []
    newest = max(ours, key=lambda pair: (pair[0].created_at, pair[1].execution_id))[1].execution_id
    applied = [
        AppliedSignal(id=item.id, **stored.signal.model_dump(include=_SHOWN))
        for item, stored in ours
        if stored.execution_id == newest and stored.signal.applied
    ]
    return sorted(applied, key=lambda signal: (signal.target, signal.key, signal.effect))


def read_patterns(
    memory: BoundMemory, goal_type: str, outcomes: Iterable[tuple[str, Outcome]]
) -> list[Pattern]:
    """Patterns of a goal type: the stated ones, then those recognised in its outcomes by their lift."""
    tried = [(trial, item_id) for item_id, outcome in outcomes for trial in outcome.counts.tried]
    stated = read_stated(memory.list(kind=PATTERN, limit=READ_MAX), goal_type)
    return [*stated, *recognize(tried)]


def total_counts(outcomes: Iterable[Outcome]) -> Counts:
    """The numbers of many runs added up."""
    return reduce(Counts.plus, (outcome.counts for outcome in outcomes), Counts())


def points_of(outcome: Outcome) -> list[MetricPoint]:
    """A run as points of the metrics that runs are compared by."""
    return [MetricPoint(metric=metric, at=outcome.at, value=value) for metric, value in _measures(outcome)]


def baselines_of(outcomes: Iterable[Outcome]) -> dict[str, Baseline]:
    """What is normal for the metrics of runs; fewer than ten runs say too little of the spread."""
    values: dict[str, list[float]] = {}
    for outcome in sorted(outcomes, key=lambda outcome: outcome.at):
        for metric, value in _measures(outcome):
            values.setdefault(metric, []).append(value)
    found = ((metric, baseline_of(series)) for metric, series in sorted(values.items()))
    return {metric: known for metric, known in found if known and known.samples >= BASELINE_RUNS_MIN}


def success_of(run: AgentRun) -> Success:
    """How often an action succeeded."""
    good = run.runs - run.failures
    low, high = wilson_interval(good, run.runs)
    return Success(rate=good / run.runs, runs=run.runs, low=low, high=high)


def remembered(item_id: str, kind: str, text: str, data: Excerpt, *, at: str, source: str) -> MemoryItem:
    """An item of learned data."""
    plain: dict[str, Any] = data.model_dump(mode="json")
    return MemoryItem(id=item_id, kind=kind, text=text, data=plain, created_at=at, source=source)


def _measures(outcome: Outcome) -> Iterator[tuple[str, float]]:
    """What runs are compared by: quality, and each action's success rate and milliseconds per call."""
    if outcome.quality is not None:
        yield QUALITY, outcome.quality
    for name, run in outcome.actions.items():
        if run.runs:
            yield f"{SUCCESS_RATE}:{name}", 1 - run.failures / run.runs
            yield f"{RESPONSE_TIME}:{name}", run.duration_ms / run.runs


_SHOWN = {"target", "key", "effect", "strength", "samples"}


def _read(items: Iterable[MemoryItem], shape: type[E]) -> Iterator[tuple[MemoryItem, E]]:
    """Items whose data have the shape; what somebody else stored under the kind is passed over."""
    for item in items:
        try:
            yield item, shape.model_validate(item.data)
        except ValidationError:
            continue
