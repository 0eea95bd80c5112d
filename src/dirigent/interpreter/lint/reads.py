"""Advice on what expressions read: outputs that may not be there, names that may mean two things."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

from dirigent.domain.agent import Effect
from dirigent.domain.workflow import Fallback, Kind, Step
from dirigent.interpreter.lint.subject import Read, Subject
from dirigent.interpreter.naming import ELSEWHERE, nearest, way_out
from dirigent.interpreter.problems import Findings, shown
from dirigent.interpreter.tokens import tokenize

_GIVERS_MAX = 200  # steps looked at for one name; two that race are as good as many
_ONLY_COMPUTES = (Effect.PURE, Effect.READ)


def may_mean_two(subject: Subject, findings: Findings) -> None:
    """WL002: a bare name that steps running at the same time may both give."""
    for read in subject.reads:
        for name in sorted(read.names):
            pair = _racing(subject, read, name)
            if pair:
                message = f"{name} may come from {pair[0]} or from {pair[1]}, whichever ends last"
                fix = f"write steps.{pair[0]}.{name}, or steps.{pair[1]}.{name}"
                findings.add("WL002", read.use.path, message, expected="one step that gives it", fix=fix)


def may_not_be_there(subject: Subject, findings: Findings) -> None:
    """WL013 and WL014: an output that is read, of a step that may have failed or not have run."""
    for read in subject.reads:
        guards = _guards(subject, read)
        for name, below in read.steps.items():
            if name not in subject.places or _is_guarded(name, guards):
                continue
            if name == read.step and "compensate" in read.use.path:
                continue
            step = subject.step(name)
            if not _has_run(subject, name, read):
                message = f"{shown(read.use.source)} reads {name}, which may not have run"
                fix = f"write has(steps.{name}) ? ... : ..., or lead every way here through {name}"
                findings.add("WL014", read.use.path, message, expected="a step that has run", fix=fix)
            elif below and _may_be_null(step):
                message = f"{shown(read.use.source)} reads {name}, whose output is null after a failure"
                which = "on_error" if step.on_error == "continue" else "fallback"
                fix = f"write steps.{name} != null ? ... : ..., or remove {which}"
                findings.add("WL013", read.use.path, message, expected="an output that is there", fix=fix)


def nobody_gives_it(subject: Subject, findings: Findings) -> None:
    """WL018: a bare name that looks like another word, or that neither a step nor a declared input gives."""
    declared = _declared(subject)
    for read in subject.reads:
        for name in sorted(read.names - declared):
            if not _is_nobodys(subject, read, name):
                continue
            message = f"{shown(read.use.source)} reads {name}, which nobody gives"
            fix = way_out(name, read.words | declared)
            expected = "a name that the input or a step gives"
            findings.add("WL018", read.use.path, message, expected=expected, fix=fix)


def nobody_reads_it(subject: Subject, findings: Findings) -> None:
    """WL008: a step that only computes, and whose output is never read.

    A transform without parameters computes nothing: it stands for a branch that does nothing.
    """
    graph = subject.reach.graph
    last = set() if subject.definition.output else set(graph.bodies[""].leaves)
    named = {name for read in subject.reads for name in read.steps}
    whole = any(read.expression.reads.get("steps") == {} for read in subject.reads)
    bare = {name for read in subject.reads for name in read.names} | set(_taken(subject))
    for name, path in subject.places.items():
        step = subject.step(name)
        facts = subject.facts_of(step)
        computes = (step.kind is Kind.TRANSFORM and step.parameters) or (
            facts is not None and facts.effect in _ONLY_COMPUTES
        )
        if not computes or whole or name in named | bare or name in last or graph.nodes[name].block:
            continue
        if any(subject.may_give(step, field) for field in bare):
            continue
        message = f"nobody reads the output of {name}"
        fix = f"read it, as in ${{steps.{name}}}, or remove the step"
        findings.add("WL008", path, message, expected="an output that is read", fix=fix)


def _declared(subject: Subject) -> frozenset[str]:
    """The names that are said to be there: fields of the input, ids, fields that steps are known to give."""
    definition = subject.definition
    names = set(definition.input.get("properties", ()))
    for trigger in definition.triggers:
        names |= set(trigger.input)
    for step in definition.every_step():
        names |= {step.id, *(subject.gives(step) or ())}
        if step.kind is Kind.VALIDATION:
            names |= set(step.parameters.get("required_fields", ()))
    return frozenset(names)


def _is_nobodys(subject: Subject, read: Read, name: str) -> bool:
    """Whether a name that nothing is said to give is taken for a mistake.

    Where anything might give it, only one is that looks like another word and of which a field is read.
    """
    if read.expression.reads[name] and (name in ELSEWHERE or nearest(name, read.words)):
        return True
    if "properties" not in subject.definition.input:
        return False
    before = subject.reach.all_before(read.step, at_its_end=read.at_the_end)
    return not any(subject.may_give(subject.step(one), name) for one in before)


def _taken(subject: Subject) -> Iterator[str]:
    """The names that steps take without an expression."""
    for step in subject.definition.every_step():
        yield from subject.takes_by_name(step)
        if step.kind is Kind.VALIDATION:
            yield from step.parameters.get("required_fields", ())


def _racing(subject: Subject, read: Read, name: str) -> tuple[str, str] | None:
    """Two steps before the reader that may both give the name, with nothing that says which ends first."""
    reach = subject.reach
    seen = reach.all_before(read.step, at_its_end=read.at_the_end)
    before = (one for one in seen if subject.may_give(subject.step(one), name))
    givers = list(itertools.islice(before, _GIVERS_MAX))
    for number, one in enumerate(givers):
        for other in givers[number + 1 :]:
            if reach.at_once(one, other):
                return one, other
    return None


def _has_run(subject: Subject, name: str, read: Read) -> bool:
    reach = subject.reach
    if read.at_the_end and reach.graph.nodes[name].block == read.step:
        return name in reach.certain
    return bool(read.step) and reach.has_run(name, read.step)


def _may_be_null(step: Step) -> bool:
    """Whether a failure of the step is let pass, and leaves nothing as its output."""
    return not step.foreach and (step.on_error == "continue" or step.fallback == Fallback())


def _guards(subject: Subject, read: Read) -> list[str]:
    """Every condition that holds where the expression is evaluated, the expression itself included."""
    guards = [read.use.source]
    if read.step:
        step = subject.step(read.step)
        guards += [step.when]
        guards += [way.condition for way in subject.definition.connections if way.target == read.step]
    return ["".join(token.text for token in tokenize(guard)) for guard in guards if guard]


def _is_guarded(name: str, guards: list[str]) -> bool:
    """Whether somebody asks first whether the output is there."""
    path, quoted = f"steps.{name}", f'steps["{name}"]'
    asked = [f"has({path}", f"has({quoted}", f'"{name}"insteps', f"'{name}'insteps"]
    asked += [f"{one}{mark}null" for one in (path, quoted) for mark in ("!=", "==")]
    return any(text in guard for guard in guards for text in asked)
