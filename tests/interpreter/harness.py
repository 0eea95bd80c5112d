"""A driver small enough to see through: it obeys a machine, with a clock and a scheduler of its own."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from dirigent.domain.command import (
    BreakOff,
    CancelChild,
    Command,
    InvokeAction,
    RecordEvent,
    StartChild,
    StartTimer,
)
from dirigent.domain.event import (
    ApprovalDecided,
    ApprovalRequested,
    ApprovalVoted,
    CancelRequested,
    ChildEnded,
    Event,
    ExecutionPaused,
    ExecutionResumed,
    ExecutionStarted,
    Failure,
    OutcomeObserved,
    Passport,
    ReadBackRequested,
    SignalReceived,
    StepCompleted,
    StepFailed,
    StepOutcomeResolved,
    StepOutcomeUnknown,
    StepStarted,
    TimerFired,
)
from dirigent.domain.ids import approval_id
from dirigent.domain.workflow import Definition
from dirigent.interpreter.forking import Fork
from dirigent.interpreter.graph import Graph
from dirigent.interpreter.loading import definition_from
from dirigent.interpreter.machine import Machine

START = 1_700_000_000_000
APPROVAL_MS = 3_600_000
PATIENT = ("approval:", "signal:", "timeout:", "look:", "execution")


@dataclass(frozen=True)
class Ask:
    """An action's answer: the dispatcher wants a person to approve it first."""

    payload: str = "hash"


@dataclass(frozen=True)
class Unknown:
    """An action's answer: nobody knows whether its effect happened; `lookup` says that it can be seen."""

    lookup: bool = False


Act = Callable[[InvokeAction], Any]
Edge = str | dict[str, Any]
Pick = Callable[[list[str]], str]


def flow(*steps: dict[str, Any], edges: Iterable[Edge] = (), **root: Any) -> Definition:
    """A definition; an edge may be written `a > b` and a step left as its keys."""
    connections = [_edge(edge) if isinstance(edge, str) else edge for edge in edges]
    return definition_from({"name": "test", "steps": list(steps), "connections": connections, **root})


def agent(name: str, **keys: Any) -> dict[str, Any]:
    """A step of type agent."""
    return {"id": name, "type": "agent", "agent_type": "worker", "action": "work", **keys}


def step(name: str, kind: str, **keys: Any) -> dict[str, Any]:
    """A step of any other type."""
    return {"id": name, "type": kind, **keys}


def succeed(_command: InvokeAction) -> dict[str, Any]:
    """An action that always works."""
    return {"ok": True}


def failing(*names: str, code: str = "broken", retryable: bool = False) -> Act:
    """Actions that work, save for the steps named."""
    error = Failure(code=code, message=f"{code} by the test", retryable=retryable)
    return lambda command: error if command.step in names else succeed(command)


class Harness:
    """Feeds a machine. `act` answers actions, `pick` says which of those under way ends next.

    Events that the machine decides are applied at once, as a driver does. `log` holds, per event, what
    came out. `peak` is the largest number of actions that were under way together.
    """

    def __init__(
        self,
        definition: Definition | Graph,
        act: Act = succeed,
        *,
        pick: Pick = lambda names: names[0],
        fork: Fork | None = None,
        **data: Any,
    ) -> None:
        self.machine = Machine(definition)
        self.now = START
        self.peak = 0
        self.events: list[Event] = []
        self.log: list[list[Command]] = []
        self.actions: dict[str, InvokeAction] = {}
        self.invoked: list[InvokeAction] = []
        self.cancelled: list[str] = []
        self.timers: dict[str, int] = {}
        self.approvals: dict[str, ApprovalRequested] = {}
        self.children: dict[str, StartChild] = {}
        self._act = act
        self._pick = pick
        self.apply(
            ExecutionStarted(
                at=self.now,
                execution_id="exec-1",
                workflow="test",
                definition="hash",
                input=data,
                passport=Passport(tenant="org_1", actor="anna"),
                forked_from="exec-0" if fork else "",
                forked_at=fork.version if fork else 0,
                kept=fork.kept if fork else {},
                unsettled=fork.unsettled if fork else {},
            )
        )

    def apply(self, event: Event) -> None:
        """Apply an event and everything it entails, and take in what is to be done."""
        queue = deque([event])
        while queue:
            current = queue.popleft()
            commands = self.machine.apply(current)
            self.events.append(current)
            self.log.append(commands)
            self._take_note(current)
            for command in commands:
                if isinstance(command, RecordEvent):
                    queue.append(command.event)
                elif isinstance(command, CancelChild):
                    queue.append(self._cancelled(command))
                else:
                    self._obey(command)
        self._forget_what_is_answered()

    def run(self) -> Harness:
        """Go on until only a person, a child execution or nothing is waited for; time flies."""
        while True:
            due = sorted((at, name) for name, at in self.timers.items() if not name.startswith(PATIENT))
            if self.actions:
                self.finish(self._pick(list(self.actions)))
            elif due:
                self.fire(due[0][1])
            else:
                return self

    def begin(self, name: str, effect: str = "") -> None:
        """Let the action of a step through, without ending it."""
        command = self.actions[name]
        self.apply(
            StepStarted(
                at=self.now,
                step=name,
                attempt=command.attempt,
                agent=command.agent,
                action=command.action,
                effect=effect,
            )
        )

    def finish(self, name: str) -> None:
        """End the action of a step that is under way, as `act` says."""
        if not (self.machine.state.steps[name].started or self.actions[name].look):
            self.begin(name)
        command = self.actions.pop(name)
        attempt, at = command.attempt, self.now
        answer = self._act(command)
        if command.look:
            self._observe(command, answer)
        elif isinstance(answer, Failure):
            self.apply(StepFailed(at=at, step=name, attempt=attempt, error=answer))
        elif isinstance(answer, Unknown):
            self.apply(StepOutcomeUnknown(at=at, step=name, attempt=attempt, key="k", lookup=answer.lookup))
        elif isinstance(answer, Ask):
            self._ask(command, answer)
        else:
            self.apply(StepCompleted(at=at, step=name, attempt=attempt, output=answer))

    def fire(self, timer: str) -> None:
        """Let the time of a timer come."""
        self.now = max(self.now, self.timers.pop(timer))
        self.apply(TimerFired(at=self.now, timer=timer))

    def decide(self, name: str, decision: str = "approved", comment: str = "") -> None:
        """Be the person that a step waits for."""
        asked = self.approvals[name]
        self.apply(
            ApprovalDecided(
                at=self.now,
                step=name,
                approval_id=asked.approval_id,
                decision=decision,
                actor="boss",
                comment=comment,
                payload=asked.payload,
            )
        )

    def signal(self, name: str, data: Any = None, signal_id: str = "") -> SignalReceived:
        """Tell the execution something."""
        known = signal_id or f"sig-{len(self.machine.state.signals.seen)}"
        told = SignalReceived(at=self.now, name=name, signal_id=known, data=data)
        self.apply(told)
        return told

    def pause(self) -> None:
        """Ask to begin nothing new."""
        self.apply(ExecutionPaused(at=self.now, actor="boss"))

    def resume(self) -> None:
        """Ask to go on."""
        self.apply(ExecutionResumed(at=self.now, actor="boss"))

    def vote(self, name: str, actor: str, decision: str = "approved", comment: str = "") -> None:
        """Be one of several persons that a step waits for."""
        asked = self.approvals[name]
        self.apply(
            ApprovalVoted(
                at=self.now,
                step=name,
                approval_id=asked.approval_id,
                decision=decision,
                actor=actor,
                comment=comment,
                payload=asked.payload,
            )
        )

    def resolve(self, name: str, *, happened: bool, output: Any = None) -> None:
        """Say what became of an effect."""
        attempt = self.machine.state.steps[name].attempt
        self.apply(
            StepOutcomeResolved(
                at=self.now, step=name, attempt=attempt, happened=happened, actor="boss", output=output
            )
        )

    def look(self, name: str) -> None:
        """Ask to look whether an effect happened."""
        attempt = self.machine.state.steps[name].attempt
        self.apply(ReadBackRequested(at=self.now, step=name, attempt=attempt, actor="boss"))

    def end_child(self, name: str, status: str = "completed", output: Any = None) -> None:
        """Let the execution that a step started come to its end."""
        child = self.children.pop(name).child
        self.apply(ChildEnded(at=self.now, step=name, child=child, status=status, output=output))

    def cancel(self) -> None:
        """Ask to stop."""
        self.apply(CancelRequested(at=self.now, actor="boss", reason="enough"))

    @property
    def status(self) -> str:
        """The status of the execution."""
        return self.machine.state.status

    @property
    def output(self) -> Any:
        """The output of the execution."""
        return self.machine.state.output

    def statuses(self) -> dict[str, str]:
        """The status of every step, items left out."""
        steps = self.machine.state.steps
        return {name: state.status for name, state in steps.items() if not state.parent}

    def attempts(self, name: str) -> list[int]:
        """The attempts of a step's action, as they were asked for."""
        return [command.attempt for command in self.invoked if command.step == name and not command.look]

    def _cancelled(self, command: CancelChild) -> Event:
        self.cancelled.append(command.step)
        return ChildEnded(at=self.now, step=command.step, child=command.child, status="cancelled")

    def _obey(self, command: Command) -> None:
        if isinstance(command, InvokeAction):
            self.actions[command.step] = command
            self.invoked.append(command)
            self.peak = max(self.peak, len(self.actions))
        elif isinstance(command, BreakOff):
            self.actions.pop(command.step, None)
            self.cancelled.append(command.step)
        elif isinstance(command, StartTimer):
            self.timers[command.timer] = command.due
        elif isinstance(command, StartChild):
            self.children[command.step] = command

    def _take_note(self, event: Event) -> None:
        if isinstance(event, ApprovalRequested):
            self.approvals[event.step] = event

    def _forget_what_is_answered(self) -> None:
        outstanding = self.machine.state.outstanding
        for name in [name for name in self.timers if f"timer:{name}" not in outstanding]:
            del self.timers[name]
        if not outstanding:
            self.actions.clear()

    def _observe(self, command: InvokeAction, answer: Any) -> None:
        error = answer if isinstance(answer, Failure) else None
        output = None if error is not None else answer
        self.apply(
            OutcomeObserved(
                at=self.now,
                step=command.step,
                attempt=command.attempt,
                found=output is not None,
                output=output,
                error=error,
            )
        )

    def _ask(self, command: InvokeAction, answer: Ask) -> None:
        number = self.machine.state.steps[command.step].approvals + 1
        self.apply(
            ApprovalRequested(
                at=self.now,
                step=command.step,
                attempt=command.attempt,
                approval_id=approval_id("exec-1", command.step, number),
                reason="a policy asks",
                kind="approval",
                expires_at=self.now + APPROVAL_MS,
                payload=answer.payload,
            )
        )


def _edge(text: str) -> dict[str, Any]:
    source, _, target = text.partition(" > ")
    return {"from": source, "to": target}
