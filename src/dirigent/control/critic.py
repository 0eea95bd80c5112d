"""The critic: grades outcomes against the goal, finds anomalies and trends, and says what to learn."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from dirigent.control.anomalies import (
    Anomaly,
    Baseline,
    Finite,
    MetricPoint,
    Thresholds,
    Trend,
    find_anomalies,
    find_baselines,
    find_trends,
)
from dirigent.control.assessment import Assessment, GoalExcerpt, PlanExcerpt, Recommendation, Share
from dirigent.control.grading import grade_quality, grade_tasks
from dirigent.control.outcomes import SELECT, Work, counts_of, read_outcomes
from dirigent.control.recommendations import Facts, recommend, recommend_for_run
from dirigent.control.signals import LearningSignal, SignalRule, signals_of
from dirigent.control.targets import sent_of, standings
from dirigent.domain.agent import Effect, Risk
from dirigent.ports import Context
from dirigent.security.admission import action, agent

DIGITS = 4


@agent("critic", domain="core", aliases=("CriticAgent", "ARE Critic", "critic_agent"))
class CriticAgent:
    """Judges by counting and statistics alone; it stores nothing and asks no model."""

    @action(risk=Risk.R0, effect=Effect.PURE)
    async def evaluate(
        self, goal: GoalExcerpt, plan: PlanExcerpt, work: dict[str, Any] | None = None, *, ctx: Context
    ) -> Assessment:
        """Grade what came out of a plan's work: metrics, tasks, quality, and which messages may go on.

        Any output may be missing. What is not known yet is pending, and a message without a verdict of
        check and quality control is held back.
        """
        return assess(goal, plan, work or {})

    @action(risk=Risk.R0, effect=Effect.PURE)
    async def detect_anomalies(
        self,
        series: list[MetricPoint],
        baseline: dict[str, Baseline | Finite] | None = None,
        thresholds: Thresholds | None = None,
        *,
        ctx: Context,
    ) -> list[Anomaly]:
        """Find points beyond a threshold or out of statistical control, by metric and time.

        A baseline is a mean, or a mean with deviation and samples; without one the first 100 points
        serve as one.
        """
        return find_anomalies(series, baseline or {}, thresholds or Thresholds())

    @action(risk=Risk.R0, effect=Effect.PURE)
    async def detect_trends(self, series: list[MetricPoint], *, ctx: Context) -> list[Trend]:
        """Test each metric of a series for a monotone trend."""
        return find_trends(series)

    @action(risk=Risk.R0, effect=Effect.PURE)
    async def adjust_baselines(self, series: list[MetricPoint], *, ctx: Context) -> dict[str, Baseline]:
        """What is normal for each metric by its newest 200 points, outliers left out."""
        return find_baselines(series)

    @action(risk=Risk.R0, effect=Effect.PURE)
    async def generate_signals(
        self,
        assessment: Assessment,
        anomalies: list[Anomaly] | None = None,
        min_samples: Annotated[int, Field(ge=1)] = 50,
        threshold: Share = 0.7,
        *,
        ctx: Context,
    ) -> list[LearningSignal]:
        """Say what planner, agents and strategies should do differently, by one run alone.

        A signal is applied with at least `min_samples` samples and a strength of at least `threshold`.
        """
        rule = SignalRule(min_samples=min_samples, threshold=threshold)
        return signals_of(assessment.counts, anomalies or [], rule)

    @action(risk=Risk.R0, effect=Effect.PURE)
    async def recommend(
        self, assessment: Assessment, anomalies: list[Anomaly] | None = None, *, ctx: Context
    ) -> list[Recommendation]:
        """Say what to do better, by the assessment and by what was out of the ordinary."""
        return recommend(assessment, anomalies or [])


def assess(goal: GoalExcerpt, plan: PlanExcerpt, work: Work) -> Assessment:
    """The assessment of one run."""
    outcomes = read_outcomes(work)
    counts = counts_of(plan, work, outcomes)
    released = outcomes.released
    found = standings(goal, work, len(released))
    metrics = {name: standing.metric for name, standing in found.items()}
    attainment = {name: standing.attained for name, standing in found.items()}
    grades = grade_tasks(goal, plan, work, outcomes)
    quality = grade_quality(outcomes, list(grades.values()))
    facts = Facts(counts=counts, released=len(released), sent=sent_of(work), why_no_leads=_why_no_leads(work))
    return Assessment(
        plan_id=plan.plan_id,
        goal_type=goal.goal_type,
        goal_achieved=bool(found) and all(standing.reached for standing in found.values()),
        attainment=attainment,
        metrics=metrics,
        quality=round(quality.value or 0.0, DIGITS),
        quality_reason=quality.reason,
        grades={
            task: round(grade.value, DIGITS) for task, grade in grades.items() if grade.value is not None
        },
        grade_reasons={task: grade.reason for task, grade in grades.items()},
        counts=counts,
        released=released,
        held_back=outcomes.held_back,
        recommendations=recommend_for_run(metrics, attainment, facts),
    )


def _why_no_leads(work: Work) -> str:
    selection = work.get(SELECT)
    return str(selection.get("detail") or "") if isinstance(selection, dict) else ""
