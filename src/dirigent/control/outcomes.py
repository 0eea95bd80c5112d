"""What came out of a plan's work, read from the outputs of its steps without trusting their shape.

An output is that of one call, or of a step per item: `results` in the order of the items, None where
one failed, and `failures`. Whatever is missing stays missing: a message without a verdict has not passed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dirigent.control.assessment import (
    Counts,
    DraftCount,
    HeldBack,
    PlanExcerpt,
    Released,
    ScoreCount,
    TaskCount,
    TaskExcerpt,
    Trial,
)

# The steps of a plan's work that mean more to the critic than success and failure.
SELECT, SCORE, DRAFT, CHECK, QUALITY = "select", "score", "draft", "check", "quality"
MEASURE = "measure"

QUALITY_RATE = "quality_rate"
REPLY_RATE = "reply_rate"
QUALITY_POINTS_FULL = 100
NUMBER_MAX = 1e15

# What quality control objects to begins with this; every other reason is the check's.
QUALITY_REASON = "quality."

Work = Mapping[str, Any]

_RULE_NAME = re.compile(r"^[\w.-]{1,80}$")


@dataclass(frozen=True, kw_only=True)
class Message:
    """One written message with what check and quality control said; it passed if no reason is left."""

    message_id: str
    lead_id: str | None
    strategy: str | None
    sha256: str | None
    confidence: float | None
    quality: float | None
    reasons: tuple[str, ...]

    @property
    def well_made(self) -> bool:
        """Whether quality control had nothing against it."""
        return not any(reason.startswith(QUALITY_REASON) for reason in self.reasons)


@dataclass(frozen=True, kw_only=True)
class Outcomes:
    """The leads, the messages written to them, and the leads for whom there is none."""

    leads: tuple[Mapping[str, Any], ...]
    messages: tuple[Message, ...]
    unwritten: tuple[HeldBack, ...]

    @property
    def released(self) -> list[Released]:
        """The messages that passed, each once."""
        passed = {message.message_id: message for message in self.messages if not message.reasons}
        return [
            Released(
                message_id=message.message_id,
                lead_id=message.lead_id,
                sha256=message.sha256,
                confidence=message.confidence,
            )
            for message in passed.values()
        ]

    @property
    def held_back(self) -> list[HeldBack]:
        """What did not pass, and who gets no message, with the reasons."""
        held = (message for message in self.messages if message.reasons)
        return [
            *(HeldBack(message_id=m.message_id, lead_id=m.lead_id, reasons=list(m.reasons)) for m in held),
            *self.unwritten,
        ]


def output_of(work: Work, task: TaskExcerpt) -> Any:
    """The output of a task, found under its step, its id or its subgoal; None where there is none."""
    names = (task.step, task.task_id, task.subgoal_id)
    return next((work[name] for name in names if work.get(name) is not None), None)


def is_simulated(output: Any) -> bool:
    """Whether an output only says what would have been done."""
    return isinstance(output, Mapping) and output.get("simulated") is True


def is_per_item(output: Any) -> bool:
    """Whether an output is that of a step that ran once per item."""
    return isinstance(output, Mapping) and isinstance(output.get("results"), list)


def count_of(output: Any) -> TaskCount | None:
    """Runs and failures of an output; None where nothing was run for real."""
    if output is None or is_simulated(output):
        return None
    if not is_per_item(output):
        return TaskCount(runs=1)
    good = sum(result is not None and not is_simulated(result) for result in output["results"])
    failures = len(_failures(output))
    return TaskCount(runs=good + failures, failures=failures) if good + failures else None


def read_outcomes(work: Work) -> Outcomes:
    """Join drafts with their verdicts and leads."""
    leads = tuple(_mappings(_mapping(work.get(SELECT)).get("leads")))
    drafts = _results(work.get(DRAFT))
    written = [place for place, draft in enumerate(drafts) if _text(_mapping(draft).get("message_id"))]
    checks = _verdicts(work.get(CHECK), drafts, written)
    reviews = _verdicts(work.get(QUALITY), drafts, written)
    strategies = {_text(lead.get("lead_id")): _text(lead.get("strategy")) for lead in leads}
    return Outcomes(
        leads=leads,
        messages=tuple(
            _message(drafts[place], check, review, strategies)
            for place, check, review in zip(written, checks, reviews, strict=True)
        ),
        unwritten=tuple(_unwritten(work.get(DRAFT), drafts, set(written), leads)),
    )


def counts_of(plan: PlanExcerpt, work: Work, outcomes: Outcomes) -> Counts:
    """A run in numbers that can be added to those of other runs."""
    counts = Counts(selected=len(outcomes.leads), tried=[*_well_made(outcomes), *_replies(work)])
    for task in plan.tasks:
        output = output_of(work, task)
        count = count_of(output)
        if count is None:
            continue
        counts = counts.plus(Counts(tasks={f"{task.agent}.{task.action}": count}))
        if output is work.get(DRAFT):
            counts = counts.plus(Counts(drafts={task.agent: _draft_count(outcomes)}))
        if output is work.get(SCORE):
            counts = counts.plus(Counts(scores={task.agent: _score_count(output)}))
    return counts


def reason_name(reason: str) -> str:
    """What a reason is counted under: its rule or kind, without the words about the single case.

    Counts are kept for long, so a reason without such a name is counted as `unnamed`, whomever its
    words may speak of.
    """
    name = reason.partition(":")[0].strip()
    return name if _RULE_NAME.match(name) else "unnamed"


def number_of(value: Any) -> float | None:
    """A number of a size that makes sense, or None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if abs(value) <= NUMBER_MAX else None


def _message(
    draft: Mapping[str, Any],
    check: Mapping[str, Any] | None,
    review: Mapping[str, Any] | None,
    strategies: Mapping[str | None, str | None],
) -> Message:
    lead_id = _text(draft.get("lead_id"))
    points = number_of(_mapping(review).get("quality_score"))
    return Message(
        message_id=str(draft["message_id"]),
        lead_id=lead_id,
        strategy=_text(draft.get("strategy")) or _text(draft.get("template")) or strategies.get(lead_id),
        sha256=_text(draft.get("sha256")),
        confidence=number_of(draft.get("confidence")),
        quality=None if points is None else max(0.0, min(1.0, points / QUALITY_POINTS_FULL)),
        reasons=(*_objections(draft, check), *_defects(review)),
    )


def _verdicts(output: Any, drafts: Sequence[Any], written: Sequence[int]) -> list[Mapping[str, Any] | None]:
    """The verdict on each written draft: by the message's id where verdicts carry it, else by place."""
    found = _results(output)
    named = ((_text(verdict.get("message_id")), verdict) for verdict in _mappings(found))
    by_id = {message_id: verdict for message_id, verdict in named if message_id}
    if by_id:
        return [by_id.get(drafts[place]["message_id"]) for place in written]
    if len(found) == len(drafts):
        return [_mapping(found[place]) or None for place in written]
    if len(found) == len(written):
        return [_mapping(verdict) or None for verdict in found]
    return [None] * len(written)


def _objections(draft: Mapping[str, Any], check: Mapping[str, Any] | None) -> list[str]:
    if check is None:
        return ["check.missing: no verdict of the check is on record"]
    if check.get("sha256", draft.get("sha256")) != draft.get("sha256"):
        return ["check.other_bytes: the check saw another text than the draft's"]
    if check.get("allow") is True:
        return []
    violations = [_worded(violation) for violation in _list(check.get("violations"))]
    return violations or ["check.refused: the check did not allow it"]


def _defects(review: Mapping[str, Any] | None) -> list[str]:
    if review is None:
        return [f"{QUALITY_REASON}missing: no verdict of quality control is on record"]
    if review.get("passed") is True:
        return []
    defects = [f"{QUALITY_REASON}{_worded(defect)}" for defect in _list(review.get("defects"))]
    return defects or [f"{QUALITY_REASON}not_passed: {review.get('quality_score')} of 100 points"]


def _worded(finding: Any) -> str:
    """A finding as `name: text`, whatever its fields are called."""
    if not isinstance(finding, Mapping):
        return str(finding)
    name = next((finding[key] for key in ("rule_id", "rule", "kind", "code", "id") if finding.get(key)), "")
    text = next((finding[key] for key in ("text", "reason", "message") if finding.get(key)), "")
    return ": ".join(str(part) for part in (name, text) if part) or "unnamed"


def _unwritten(
    output: Any, drafts: Sequence[Any], written: set[int], leads: Sequence[Mapping[str, Any]]
) -> Iterator[HeldBack]:
    failures = {str(failure.get("index")): failure for failure in _failures(output)}
    aligned = len(drafts) == len(leads)
    for place, draft in enumerate(drafts):
        if place not in written:
            lead = leads[place] if aligned else _mapping(draft)
            yield HeldBack(
                lead_id=_text(lead.get("lead_id")), reasons=[_why_unwritten(draft, failures.get(str(place)))]
            )


def _why_unwritten(draft: Any, failure: Mapping[str, Any] | None) -> str:
    if is_simulated(draft):
        return "draft.simulated: at this autonomy level messages are not written"
    if failure is None:
        return "draft.missing: no message was written"
    return f"draft.{failure.get('code', 'failed')}: {failure.get('message', '')}"


def _draft_count(outcomes: Outcomes) -> DraftCount:
    reasons: dict[str, int] = {}
    for message in outcomes.messages:
        for name in {reason_name(reason) for reason in message.reasons}:
            reasons[name] = reasons.get(name, 0) + 1
    return DraftCount(
        drafted=len(outcomes.messages),
        well_made=sum(message.well_made for message in outcomes.messages),
        released=sum(not message.reasons for message in outcomes.messages),
        reasons=dict(sorted(reasons.items())),
    )


def _score_count(output: Any) -> ScoreCount:
    scores = [score for score in _mappings(_results(output)) if not is_simulated(score)]
    return ScoreCount(scored=len(scores), qualified=sum(score.get("qualified") is True for score in scores))


def _well_made(outcomes: Outcomes) -> Iterator[Trial]:
    """How many messages of each strategy were well made."""
    for strategy in sorted({message.strategy for message in outcomes.messages if message.strategy}):
        tried = [message for message in outcomes.messages if message.strategy == strategy]
        yield Trial(
            conditions={"strategy": strategy},
            measure=QUALITY_RATE,
            trials=len(tried),
            successes=sum(message.well_made for message in tried),
        )


def _replies(work: Work) -> Iterator[Trial]:
    """How many messages of each strategy were answered, where the measurement tells them apart."""
    by_strategy = _mapping(_mapping(work.get(MEASURE)).get("by_strategy"))
    for strategy, counted in sorted(by_strategy.items()):
        sent, replied = (number_of(_mapping(counted).get(name)) for name in ("sent", "replied"))
        if sent is not None and replied is not None and 0 <= replied <= sent:
            yield Trial(
                conditions={"strategy": str(strategy)},
                measure=REPLY_RATE,
                trials=int(sent),
                successes=int(replied),
            )


def _results(output: Any) -> Sequence[Any]:
    return output["results"] if is_per_item(output) else ()


def _failures(output: Any) -> list[Mapping[str, Any]]:
    return list(_mappings(_mapping(output).get("failures")))


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _mappings(values: Any) -> Iterable[Mapping[str, Any]]:
    return [item for item in _list(values) if isinstance(item, Mapping)]


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None
