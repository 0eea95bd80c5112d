"""What the critic reads of a goal and its plan, and what it says: the shapes, no judgement."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Annotated, Any, Literal, TypeVar

from pydantic import Field

from dirigent.domain.shape import Excerpt, Shape

Count = Annotated[int, Field(ge=0)]
Share = Annotated[float, Field(ge=0, le=1)]
C = TypeVar("C", bound=Shape)

RecommendationKind = Literal["strategy", "agent", "scaling", "cost", "process", "content"]


class RelativeChange(Shape):
    """A target told as a change of what was before: 0.25 is a quarter more."""

    relative_change: float


class GoalExcerpt(Excerpt):
    """What is judged of a goal. `inputs.baseline` may say what relative changes are measured from."""

    goal_type: str = ""
    description: str = ""
    target_metrics: dict[str, float | RelativeChange] = Field(default_factory=dict)
    limit: int | None = None
    inputs: dict[str, Any] = Field(default_factory=dict)


class TaskExcerpt(Excerpt):
    """One task of a plan; `step` is where its outcome stands in the output of the work."""

    task_id: str
    step: str = ""
    subgoal_id: str = ""
    agent: str
    action: str


class PlanExcerpt(Excerpt):
    """What is judged of a plan."""

    plan_id: str = ""
    limit: int | None = None
    tasks: list[TaskExcerpt] = Field(default_factory=list)


class MetricStanding(Shape):
    """How a target metric stands; `pending` is not known yet, and `why` says what is missing."""

    target: float | RelativeChange
    observed: float | None
    state: Literal["pending", "measured"]
    why: str


class Released(Shape):
    """A message that passed check and quality, with the hash of the bytes that did."""

    message_id: str
    lead_id: str | None = None
    sha256: str | None = None
    confidence: float | None = None


class HeldBack(Shape):
    """A message that did not pass, or a lead for whom none was written, and why."""

    message_id: str | None = None
    lead_id: str | None = None
    reasons: list[str]


class Recommendation(Shape):
    """Something to do better, in words, with the numbers it rests on."""

    kind: RecommendationKind
    text: str
    evidence: dict[str, Any]


class TaskCount(Shape):
    """How often an action was run, and how often that failed."""

    runs: Count = 0
    failures: Count = 0


class DraftCount(Shape):
    """Messages one agent wrote: how many were well made, how many released, what held how many back.

    `well_made` passed quality control, whatever the check said of the recipient.
    """

    drafted: Count = 0
    well_made: Count = 0
    released: Count = 0
    reasons: dict[str, Count] = Field(default_factory=dict)


class ScoreCount(Shape):
    """Leads one agent scored and how many it called qualified."""

    scored: Count = 0
    qualified: Count = 0


class Trial(Shape):
    """What was tried under some conditions, and how often it succeeded by one measure."""

    conditions: dict[str, str]
    measure: str
    trials: Count
    successes: Count


class Counts(Shape):
    """A run in numbers, such that the numbers of several runs add up. It names no person.

    `tasks` are counted by `agent.action`, `drafts` and `scores` by agent.
    """

    selected: Count = 0
    tasks: dict[str, TaskCount] = Field(default_factory=dict)
    drafts: dict[str, DraftCount] = Field(default_factory=dict)
    scores: dict[str, ScoreCount] = Field(default_factory=dict)
    tried: list[Trial] = Field(default_factory=list)

    def plus(self, other: Counts) -> Counts:
        """The numbers of both."""
        return Counts(
            selected=self.selected + other.selected,
            tasks=_joined(self.tasks, other.tasks),
            drafts=_joined(self.drafts, other.drafts),
            scores=_joined(self.scores, other.scores),
            tried=[*self.tried, *other.tried],
        )


class Assessment(Shape):
    """The critic's verdict on one run.

    `attainment` is attained over target, None where nothing can be said yet. `quality` and `grades` are
    0 to 1; a task without an outcome has no grade, and `grade_reasons` says why. Only what is in
    `released` may go on to delivery.
    """

    plan_id: str
    goal_type: str
    goal_achieved: bool
    attainment: dict[str, float | None]
    metrics: dict[str, MetricStanding]
    quality: Share
    quality_reason: str
    grades: dict[str, Share]
    grade_reasons: dict[str, str]
    counts: Counts
    released: list[Released]
    held_back: list[HeldBack]
    recommendations: list[Recommendation]


def _joined(ours: Mapping[str, C], theirs: Mapping[str, C]) -> dict[str, C]:
    return {name: _sum(ours.get(name), theirs.get(name)) for name in sorted({*ours, *theirs})}


def _sum(one: C | None, other: C | None) -> C:
    known = [count for count in (one, other) if count is not None]
    if len(known) == 1:
        return known[0]
    first, second = known
    fields = type(first).model_fields
    return type(first)(**{name: _added(getattr(first, name), getattr(second, name)) for name in fields})


def _added(one: Any, other: Any) -> Any:
    return dict(Counter(one) + Counter(other)) if isinstance(one, dict) else one + other
