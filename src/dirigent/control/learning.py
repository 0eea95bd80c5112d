"""The learner: keeps what a run taught, and tells the next plan what all runs have taught."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC
from typing import Annotated, Final

from pydantic import Field

from dirigent.control.anomalies import Anomaly, Baseline, Thresholds, find_anomalies
from dirigent.control.assessment import Assessment, Count, GoalExcerpt, PlanExcerpt, Share
from dirigent.control.history import (
    AGENT_STATS,
    OUTCOME,
    SIGNAL,
    AgentRun,
    AgentStats,
    AppliedSignal,
    Outcome,
    StoredSignal,
    Success,
    baselines_of,
    points_of,
    read_agents,
    read_applied,
    read_outcomes_of,
    read_patterns,
    remembered,
    success_of,
    total_counts,
)
from dirigent.control.patterns import Pattern
from dirigent.control.signals import LearningSignal, SignalRule, signals_of
from dirigent.domain.agent import Effect, Risk
from dirigent.domain.canonical import digest_of
from dirigent.domain.shape import Excerpt, Shape
from dirigent.ports import BoundMemory, Context, MemoryItem
from dirigent.security.admission import action, agent
from dirigent.security.pii import redact

CITES_MAX: Final = 20
DESCRIPTION_MAX: Final = 500


class Timing(Excerpt):
    """How often a task or its items ran, how often that failed, and how long all runs took together."""

    runs: Count = 0
    failures: Count = 0
    duration_ms: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.0


class Heuristics(Shape):
    """What the next plan goes by.

    `durations` are seconds per run of `agent.action`, `success` the share of runs that succeeded.
    `signals` are those in force, `baselines` what is normal for the runs of the goal type. `cites` are
    the memories behind all this, at most 20 of a kind.
    """

    goal_type: str
    durations: dict[str, float]
    success: dict[str, Success]
    signals: list[AppliedSignal]
    patterns: list[Pattern]
    baselines: dict[str, Baseline]
    cites: list[str]


class SignalLearned(LearningSignal):
    """A signal with its id in memory."""

    id: str


class Learned(Shape):
    """What was stored, what it teaches, what was out of the ordinary, and what the next plan goes by."""

    stored: list[str]
    signals: list[SignalLearned]
    anomalies: list[Anomaly]
    heuristics: Heuristics


@agent("learner", domain="core", aliases=("LearnerAgent", "learning_loop"))
class LearnerAgent:
    """Learns by counting: every number can be traced to the runs it is from."""

    @action(risk=Risk.R1, effect=Effect.KEYED)
    async def learn(
        self,
        goal: GoalExcerpt,
        plan: PlanExcerpt,
        assessment: Assessment,
        timings: dict[str, Timing] | None = None,
        min_samples: Annotated[int, Field(ge=1)] = 50,
        threshold: Share = 0.7,
        thresholds: Thresholds | None = None,
        *,
        ctx: Context,
    ) -> Learned:
        """Store a run's outcome, the statistics of its agents, and the signals that all runs now give.

        `timings` are by task id or by step. Ids are made from the execution: learning again from the
        same run replaces what it taught before.
        """
        runs = _runs(plan, timings or {})
        outcome = _outcome(goal, assessment, runs, ctx)
        own_id = _id(OUTCOME, ctx.execution_id)
        earlier = [
            past for item_id, past in read_outcomes_of(ctx.memory, goal.goal_type) if item_id != own_id
        ]
        anomalies = find_anomalies(points_of(outcome), baselines_of(earlier), thresholds or Thresholds())
        rule = SignalRule(min_samples=min_samples, threshold=threshold)
        signals = signals_of(total_counts([outcome, *earlier]), anomalies, rule)
        items = _items(outcome, _outcome_text(goal, outcome), runs, signals, ctx)
        ctx.memory.store(items)
        return Learned(
            stored=[item.id for item in items],
            signals=[
                SignalLearned(id=_signal_id(ctx.execution_id, signal), **signal.model_dump())
                for signal in signals
            ],
            anomalies=anomalies,
            heuristics=read_heuristics(ctx.memory, goal.goal_type),
        )

    @action(risk=Risk.R0, effect=Effect.READ)
    async def heuristics(self, goal_type: str, *, ctx: Context) -> Heuristics:
        """Tell what earlier runs teach: durations and success of agents, signals in force, patterns."""
        return read_heuristics(ctx.memory, goal_type)


def read_heuristics(memory: BoundMemory, goal_type: str) -> Heuristics:
    """What all runs have taught, added up from memory."""
    agents, stats_ids = read_agents(memory)
    ran = {name: run for name, run in sorted(agents.items()) if run.runs}
    signals = read_applied(memory, goal_type)
    outcomes = read_outcomes_of(memory, goal_type)
    patterns = read_patterns(memory, goal_type, outcomes)
    sources = list(dict.fromkeys(source for pattern in patterns for source in pattern.sources))
    cited = [[signal.id for signal in signals], sources, stats_ids]
    return Heuristics(
        goal_type=goal_type,
        durations={name: run.duration_ms / run.runs / 1000 for name, run in ran.items() if run.duration_ms},
        success={name: success_of(run) for name, run in ran.items()},
        signals=signals,
        patterns=patterns,
        baselines=baselines_of(outcome for _, outcome in outcomes),
        cites=[item_id for ids in cited for item_id in ids[:CITES_MAX]],
    )


def _runs(plan: PlanExcerpt, timings: dict[str, Timing]) -> dict[str, AgentRun]:
    """The runs of each `agent.action` of a plan; timings of no task of the plan are left out."""
    found: dict[str, AgentRun] = {}
    for task in plan.tasks:
        timing = timings.get(task.task_id) or timings.get(task.step)
        if timing is not None and timing.runs:
            name = f"{task.agent}.{task.action}"
            failures = min(timing.failures, timing.runs)
            run = AgentRun(runs=timing.runs, failures=failures, duration_ms=timing.duration_ms)
            found[name] = found.get(name, AgentRun()).plus(run)
    return found


def _outcome(goal: GoalExcerpt, assessment: Assessment, runs: dict[str, AgentRun], ctx: Context) -> Outcome:
    return Outcome(
        execution_id=ctx.execution_id,
        goal_type=goal.goal_type,
        plan_id=assessment.plan_id,
        at=ctx.now,
        goal_achieved=assessment.goal_achieved,
        attainment=assessment.attainment,
        quality=assessment.quality if assessment.grades else None,
        counts=assessment.counts,
        actions=runs,
    )


def _items(
    outcome: Outcome, text: str, runs: dict[str, AgentRun], signals: Sequence[LearningSignal], ctx: Context
) -> list[MemoryItem]:
    at, source = ctx.now.astimezone(UTC).isoformat(), ctx.execution_id
    items = [remembered(_id(OUTCOME, source), OUTCOME, text, outcome, at=at, source=source)]
    if runs:
        stats = AgentStats(execution_id=source, actions=runs)
        ran = f"Runs of {', '.join(sorted(runs))} for {outcome.goal_type}."
        items.append(remembered(_id(AGENT_STATS, source), AGENT_STATS, ran, stats, at=at, source=source))
    for signal in signals:
        item_id = _signal_id(source, signal)
        stored = StoredSignal(execution_id=source, goal_type=outcome.goal_type, signal=signal)
        told = f"{signal.key}: {signal.effect}"
        items.append(remembered(item_id, SIGNAL, told, stored, at=at, source=source))
    return items


def _outcome_text(goal: GoalExcerpt, outcome: Outcome) -> str:
    """The outcome in sentences, to be found by the words of a similar goal; identifiers are taken out."""
    words = redact(goal.description).text.strip()[:DESCRIPTION_MAX]
    targets = ", ".join(
        f"{name} {'pending' if attained is None else format(attained, '.0%')}"
        for name, attained in outcome.attainment.items()
    )
    strategies = sorted({trial.conditions.get("strategy", "") for trial in outcome.counts.tried} - {""})
    with_what = f" with {', '.join(strategies)}" if strategies else ""
    reached = "reached" if outcome.goal_achieved else "not reached yet"
    quality = "" if outcome.quality is None else f", quality {outcome.quality:.2f}"
    verdict = f"{outcome.goal_type}{with_what}: goal {reached}{quality}. {targets}".strip()
    return f"{words} ({verdict})" if words else verdict


def _id(kind: str, execution_id: str) -> str:
    return f"{kind}:{execution_id}"


def _signal_id(execution_id: str, signal: LearningSignal) -> str:
    """An id that the same signal of the same execution has again."""
    named = [execution_id, signal.target, signal.key, signal.evidence.get("measure")]
    return f"{SIGNAL}:{digest_of([*named, signal.evidence.get('about')])[:16]}"
