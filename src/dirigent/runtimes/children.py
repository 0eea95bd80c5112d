"""What an execution and the one that started it tell each other."""

from __future__ import annotations

from dirigent.domain.command import CancelChild, StartChild
from dirigent.domain.errors import Refused
from dirigent.domain.event import (
    ChildEnded,
    Event,
    ExecutionCancelled,
    ExecutionCompleted,
    ExecutionFailed,
    ExecutionStarted,
    Failure,
    Passport,
)
from dirigent.domain.workflow import Definition
from dirigent.execution.gates import DEPTH_MAX
from dirigent.execution.registry import Registry
from dirigent.interpreter.forking import Fork, fork_of
from dirigent.interpreter.graph import Graph
from dirigent.interpreter.inputs import check_input
from dirigent.interpreter.machine import Machine
from dirigent.interpreter.state import State
from dirigent.ports import Journal

NOTHING = Fork(version=0, kept={}, unsettled={})


def child_started(
    parent: State, command: StartChild, definition: Definition, registry: Registry, fork: Fork, now_ms: int
) -> ExecutionStarted:
    """The start of an execution for a step; it may do no more than the one that starts it.

    `fork` is what it takes over. Raises `InvalidInput` where the input does not fit the definition, and
    `Refused` where workflows start each other without end.
    """
    assert parent.passport is not None, "an execution starts with ExecutionStarted"
    passport = parent.passport
    if passport.depth + 1 >= DEPTH_MAX:
        raise Refused(
            f"Workflows start each other at most {DEPTH_MAX} deep.",
            rules=("caller.depth",),
            fix="Let the last one decide that it is enough, or write a loop.",
        )
    envelope = _envelope(definition, registry) if command.definition is not None else passport.plan
    return ExecutionStarted(
        at=now_ms,
        execution_id=command.child,
        workflow=definition.name,
        definition=definition.content_hash,
        input=check_input(definition, command.input),
        passport=Passport(
            tenant=passport.tenant,
            actor=passport.actor,
            autonomy=passport.autonomy,
            plan=_narrower(passport.plan, envelope),
            root=passport.root or parent.execution_id,
            depth=passport.depth + 1,
            correlation=passport.correlation,
            priority=passport.priority,
            cause=passport.cause,
            delivery=passport.delivery,
            cause_depth=passport.cause_depth,
        ),
        trigger="parent",
        parent=parent.execution_id,
        parent_step=command.step,
        forked_from=command.forked_from if fork.version else "",
        forked_at=fork.version,
        kept=fork.kept,
        unsettled=fork.unsettled,
    )


def fork_of_child(command: StartChild, graph: Graph, journal: Journal) -> Fork:
    """What there is to take over, if there was an execution of this definition; raises as `fork_of`."""
    events = journal.read(command.forked_from) if command.forked_from else []
    before = events[0] if events else None
    if not isinstance(before, ExecutionStarted) or before.definition != graph.definition.content_hash:
        return NOTHING
    return fork_of(graph, events, exists=lambda child: journal.head(child) > 0)


def child_ended(machine: Machine, last: Event, now_ms: int) -> ChildEnded:
    """What an execution that has ended tells the one that started it."""
    state = machine.state
    error = last.error if isinstance(last, ExecutionFailed) else None
    assert isinstance(last, ExecutionCompleted | ExecutionFailed | ExecutionCancelled), "a stream ends once"
    return ChildEnded(
        at=now_ms,
        step=state.parent_step,
        child=state.execution_id,
        status=state.status,
        output=state.output,
        error=error,
        spent=state.spent,
    )


def never_begun(command: StartChild | CancelChild, now_ms: int) -> ChildEnded:
    """What is told where an execution was not to begin any more."""
    return ChildEnded(at=now_ms, step=command.step, child=command.child, status="cancelled")


def child_lost(command: StartChild | CancelChild, reason: str, now_ms: int) -> ChildEnded:
    """What is told where nobody can read any more how far an execution came."""
    error = Failure(code="journal_damaged", message=f"{command.child} cannot be read: {reason}")
    return ChildEnded(at=now_ms, step=command.step, child=command.child, status="failed", error=error)


def _envelope(definition: Definition, registry: Registry) -> tuple[str, ...]:
    """What a plan may call: the actions of its own steps, by the agents' keys."""
    pairs = [pair for step in definition.every_step() for pair in step.actions]
    return tuple(sorted({f"{registry.agent(agent).key}.{action}" for agent, action in pairs}))


def _narrower(outer: tuple[str, ...], inner: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(name for name in inner if name in outer) if outer else inner
