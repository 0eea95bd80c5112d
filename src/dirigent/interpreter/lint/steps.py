"""Advice on steps and their ways: what never runs, what always holds, what may happen twice."""

from __future__ import annotations

from collections import Counter

from dirigent.domain.agent import Effect
from dirigent.domain.canonical import canonical_bytes
from dirigent.domain.trigger import EventTrigger, ScheduleTrigger, WebhookTrigger, kind_of
from dirigent.domain.workflow import Compensate, Fallback, FlowType, Kind, Step, said
from dirigent.interpreter.lint.reach import constant_value
from dirigent.interpreter.lint.subject import Subject
from dirigent.interpreter.problems import Findings, Path, shown, written_path
from dirigent.interpreter.template import has_hole

_CONDITIONS = ("when", "condition", "filter")


def never_runs(subject: Subject, findings: Findings) -> None:
    """WL003: a step that can never run, or a way that is never taken."""
    reach = subject.reach
    for name in sorted(reach.dead, key=reach.index.__getitem__):
        message = f"the step {name} can never run"
        fix = "change its guard or a way that leads to it, or remove it"
        findings.add("WL003", subject.places[name], message, expected="a step that can run", fix=fix)
    for way in reach.dead_ways:
        if way.target not in reach.dead and way.source not in reach.dead:
            message = f"the way from {way.source} to {way.target} is never taken"
            fix = "change its condition, or remove it"
            here = subject.way_path(way.source, way.target)
            findings.add("WL003", here, message, expected="a way that can be taken", fix=fix)


def always_the_same(subject: Subject, findings: Findings) -> None:
    """WL004: a condition that reads nothing decides nothing."""
    for read in subject.reads:
        last = read.use.path[-1]
        if read.use.need != "condition" or not (
            isinstance(last, int) or last in (*_CONDITIONS, "expression")
        ):
            continue
        value = constant_value(read.expression)
        if value is not None:
            message = f"{shown(read.use.source)} is always {str(value).lower()}"
            fix = "compare an input or an output with something, or remove it"
            findings.add(
                "WL004", read.use.path, message, expected="a condition that reads something", fix=fix
            )


def at_most_once(subject: Subject, findings: Findings) -> None:
    """WL005 and WL006: a step whose action must not be repeated, without a time limit or with retries."""
    for name, path in subject.places.items():
        step = subject.step(name)
        facts = subject.facts_of(step)
        if facts is None or facts.effect is not Effect.AT_MOST_ONCE:
            continue
        what = f"{step.agent}.{step.action} happens at most once"
        if not step.timeout_ms and not facts.timed:
            message = f"{what}; when the usual 5m have passed, nobody knows whether it did"
            findings.add("WL005", path, message, expected="timeout", fix="add timeout: 5m")
        if step.retry.max_attempts > 1:
            message = f"{what}: an attempt whose outcome is unclear is not repeated but parked for a person"
            fix = "remove retry_policy, or declare the effect of the action"
            here = (*path, "retry_policy")
            findings.add("WL006", here, message, expected="one attempt", fix=fix, at_key=True)


def waits_for_ever(subject: Subject, findings: Findings) -> None:
    """WL007: an approval that does not say how long it may wait."""
    for name, path in subject.places.items():
        step = subject.step(name)
        if step.kind is Kind.APPROVAL and not step.timeout_ms:
            message = f"{name} does not say how long a person has; the request expires after 24h"
            findings.add("WL007", path, message, expected="timeout", fix="add timeout: 24h, or what you mean")


def stands_alone(subject: Subject, findings: Findings) -> None:
    """WL015: a step that no connection names, in a workflow that has connections."""
    graph = subject.reach.graph
    if not subject.definition.connections:
        return
    joined = {name for way in subject.definition.connections for name in (way.source, way.target)}
    joined |= {edge.target for node in graph.nodes.values() for edge in node.outgoing}
    for name in graph.bodies[""].steps:
        if name not in joined and not graph.nodes[name].outgoing:
            message = f"no connection names {name}: it begins at once, and nothing waits for it"
            fix = "connect it, or give it a workflow of its own"
            findings.add("WL015", subject.places[name], message, expected="a connection", fix=fix)


def parameters_fit(subject: Subject, findings: Findings) -> None:
    """WL016: parameters that an action will refuse, also one that acts instead or that undoes."""
    for name, path in subject.places.items():
        step = subject.step(name)
        if step.kind is Kind.AGENT:
            _fits(step, path, subject, findings)
        for key, other in (("fallback", step.fallback), ("compensate", step.compensate)):
            if other is not None:
                _fits(other, (*path, key), subject, findings)


def _fits(asked: Step | Fallback | Compensate, path: Path, subject: Subject, findings: Findings) -> None:
    facts = subject.known(asked.agent, asked.action) if asked.agent else None
    for misfit in facts.misfits(asked.parameters) if facts is not None else ():
        if has_hole(misfit.value) or (misfit.missing and _comes_by_name(asked, misfit.path, subject)):
            continue
        takes = facts.takes if facts is not None else ()
        where = written_path(misfit.path)
        message = f"{asked.agent}.{asked.action} will refuse it: {misfit.text}"
        near = findings.near(where, takes) if misfit.unknown else ""
        fix = f"did you mean {near}?" if near else f"it takes {', '.join(takes) or 'nothing'}"
        here = (*path, "parameters", *misfit.path)
        findings.add("WL016", here, message, expected=misfit.expected, fix=fix, at_key=misfit.unknown)


def _comes_by_name(asked: Step | Fallback | Compensate, path: Path, subject: Subject) -> bool:
    """Whether an input that is not written may come from what the run knows."""
    return isinstance(asked, Step) and not asked.parameters and subject.may_know(asked, str(path[0]))


def nothing_starts_it(subject: Subject, findings: Findings) -> None:
    """WL011: an event-driven workflow without an event."""
    started = any(isinstance(one, EventTrigger | WebhookTrigger) for one in subject.definition.triggers)
    if subject.definition.type is FlowType.EVENT_DRIVEN and not started:
        message = "an event-driven workflow without an event starts only by hand"
        fix = "add triggers: [{type: event, event_type: order.paid}]"
        findings.add("WL011", (*subject.path, "type"), message, expected="a trigger of type event", fix=fix)


def starts_twice(subject: Subject, findings: Findings) -> None:
    """WL012: two triggers that are the same."""
    seen: Counter[bytes] = Counter()
    for index, trigger in enumerate(subject.definition.triggers):
        key = canonical_bytes(said(trigger))
        if seen[key] and isinstance(trigger, ScheduleTrigger | EventTrigger | WebhookTrigger):
            message = f"the same {kind_of(trigger)} trigger stands here twice: it starts two executions"
            here = (*subject.path, "triggers", index)
            findings.add("WL012", here, message, expected="each trigger once", fix="remove one of the two")
        seen[key] += 1
