"""Grades from 0 to 1: of each task by its outcome, and of the run by the quality of what it made."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

from dirigent.control.assessment import GoalExcerpt, PlanExcerpt, TaskExcerpt
from dirigent.control.outcomes import (
    DRAFT,
    SELECT,
    Outcomes,
    Work,
    count_of,
    is_simulated,
    output_of,
)


@dataclass(frozen=True, kw_only=True)
class Grade:
    """A grade, None where there is no outcome to grade, and the reason."""

    value: float | None
    reason: str


def grade_tasks(goal: GoalExcerpt, plan: PlanExcerpt, work: Work, outcomes: Outcomes) -> dict[str, Grade]:
    """The grade of every task of a plan: the share of successes, times the quality where there is one."""
    wanted = plan.limit or goal.limit
    return {task.task_id: _grade(task, work, outcomes, wanted) for task in plan.tasks}


def grade_quality(outcomes: Outcomes, grades: Sequence[Grade]) -> Grade:
    """The mean quality of the reviewed messages; without any, the mean grade of the tasks; else 0."""
    quality = _mean_quality(outcomes)
    if quality is not None:
        reviewed = sum(message.quality is not None for message in outcomes.messages)
        return Grade(value=quality, reason=f"The mean of {reviewed} reviewed messages.")
    known = [grade.value for grade in grades if grade.value is not None]
    if known:
        return Grade(value=fmean(known), reason=f"No message was reviewed; the mean of {len(known)} tasks.")
    return Grade(value=0.0, reason="Nothing has come out of the work.")


def _grade(task: TaskExcerpt, work: Work, outcomes: Outcomes, wanted: int | None) -> Grade:
    output = output_of(work, task)
    count = count_of(output)
    if count is None:
        simulated = is_simulated(output)
        return Grade(value=None, reason="It was only simulated." if simulated else "There is no outcome yet.")
    if output is work.get(SELECT):
        return _grade_selection(outcomes, wanted)
    share = 1 - count.failures / count.runs
    reason = f"{count.runs - count.failures} of {count.runs} succeeded"
    quality = _mean_quality(outcomes) if output is work.get(DRAFT) else None
    if quality is None:
        return Grade(value=share, reason=f"{reason}.")
    return Grade(value=share * quality, reason=f"{reason}, at a mean quality of {quality:.2f}.")


def _grade_selection(outcomes: Outcomes, wanted: int | None) -> Grade:
    found = len(outcomes.leads)
    if not wanted:
        return Grade(value=1.0 if found else 0.0, reason=f"{found} leads found.")
    return Grade(value=min(1.0, found / wanted), reason=f"{found} of {wanted} leads found.")


def _mean_quality(outcomes: Outcomes) -> float | None:
    known = [message.quality for message in outcomes.messages if message.quality is not None]
    return fmean(known) if known else None
