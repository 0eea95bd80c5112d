"""A small sound run written down by hand: journal, client log and recorder log, to be falsified in tests."""

from __future__ import annotations

import hashlib
from collections import deque
from dataclasses import dataclass, field
from typing import Any

from dirigent.domain.canonical import digest_of
from dirigent.domain.command import RecordEvent
from dirigent.domain.event import (
    ApprovalDecided,
    ApprovalRequested,
    CallEnded,
    CallStarted,
    DefinitionStored,
    Event,
    ExecutionPaused,
    ExecutionResumed,
    ExecutionStarted,
    Failure,
    Passport,
    SignalReceived,
    StepCompleted,
    StepFailed,
    StepOutcomeResolved,
    StepOutcomeUnknown,
    StepStarted,
    TimerFired,
)
from dirigent.domain.ids import effect_key
from dirigent.domain.workflow import Definition
from dirigent.interpreter.loading import definition_to_dict
from dirigent.interpreter.machine import Machine
from dirigent.ports import Recorded
from dirigent.testing.invariants import Answered, Called, Ended, Entry, Opened, Told, fingerprint, start_body
from tests.interpreter.harness import flow, step

START = 1_700_000_000_000
TENANT = "org_1"
ACTIONS = {"keyed": "keyed", "ask": "queryable", "once": "at_most_once"}


def world(name: str, effect: str, **keys: Any) -> dict[str, Any]:
    """A step whose action is named after its effect class."""
    return {"id": name, "type": "agent", "agent_type": "outside", "action": effect, **keys}


def everything() -> Definition:
    """One step of every kind that the checks look at, one after the other."""
    return flow(
        world("keyed", "keyed", retry_policy={"max_attempts": 2, "initial": "2s", "jitter": 0}),
        world("ask", "queryable"),
        world("once", "at_most_once"),
        world("held", "keyed"),
        step("person", "approval"),
        step("listen", "wait_for_event", event="order.paid"),
        step("pause", "wait", duration="5s"),
        type="sequential",
    )


@dataclass
class Written:
    """The three logs of a run, and a pen."""

    journal: list[Recorded] = field(default_factory=list)
    client: list[Entry] = field(default_factory=list)
    recorder: list[Called] = field(default_factory=list)
    now: int = START
    order: int = 0
    machines: dict[str, Machine] = field(default_factory=dict)

    def tick(self) -> int:
        """The next place in the order of the logs."""
        self.order += 1
        return self.order

    def append(self, stream: str, event: Event) -> None:
        """One more event at the end of the journal."""
        version = 1 + sum(recorded.stream == stream for recorded in self.journal)
        position = len(self.journal) + 1
        digest = hashlib.sha256(f"{position}".encode()).digest()
        self.journal.append(
            Recorded(position=position, stream=stream, version=version, event=event, digest=digest)
        )

    def start(self, name: str, definition: Definition, budget: float | None = None) -> None:
        """Store a definition and start it; the client is told."""
        content = definition.content_hash
        stored = DefinitionStored(
            at=self.now, content_hash=content, definition=definition_to_dict(definition)
        )
        if not any(recorded.stream == content for recorded in self.journal):
            self.append(content, stored)
        self.machines[name] = Machine(definition)
        asked = self.tick()
        passport = Passport(tenant=TENANT, actor="anna", budget=budget)
        started = ExecutionStarted(
            at=self.now,
            execution_id=name,
            workflow="test",
            definition=content,
            input={"n": 1},
            passport=passport,
        )
        self.tell(name, started)
        body = start_body(content, {"n": 1})
        self.answer(name, "start", asked, actor="anna", body=body)

    def answer(self, name: str, request: str, asked: int | None = None, **more: Any) -> None:
        """The client got its acknowledgement."""
        self.client.append(
            Answered(
                session="1",
                request=request,
                execution=name,
                asked=self.tick() if asked is None else asked,
                order=self.tick(),
                result="acknowledged",
                tenant=TENANT,
                **more,
            )
        )

    def tell(self, name: str, event: Event) -> None:
        """An event and everything it entails, and the observer is told of all of it."""
        queue = deque([event])
        while queue:
            current = queue.popleft()
            commands = self.machines[name].apply(current)
            self.append(name, current)
            digest = fingerprint(current)
            kind = type(current).__name__
            self.client.append(
                Told(order=self.tick(), session="1", execution=name, event=kind, digest=digest)
            )
            queue += [command.event for command in commands if isinstance(command, RecordEvent)]

    def let_through(self, name: str, where: str, effect: str, attempt: int = 1, cost: float = 0.0) -> str:
        """The intent of a step; returns its key."""
        key = effect_key(TENANT, name, where, 0, f"outside.{effect}")
        payload = digest_of({"agent": "outside", "action": effect, "inputs": {}})
        self.tell(
            name,
            StepStarted(
                at=self.now,
                step=where,
                attempt=attempt,
                agent="outside",
                action=effect,
                risk="R1",
                effect=effect,
                key=key,
                payload=payload,
                reserved=cost,
            ),
        )
        return key

    def call(self, name: str, where: str, effect: str, key: str, attempt: int = 1, **more: Any) -> None:
        """The recorder sees a call."""
        self.recorder.append(
            Called(
                order=self.tick(),
                sent=self.order,
                durable=len(self.journal),
                tenant=TENANT,
                execution=name,
                step=where,
                attempt=attempt,
                agent="outside",
                action=effect,
                effect=effect,
                key=key,
                payload=digest_of({"agent": "outside", "action": effect, "inputs": {}}),
                **more,
            )
        )

    def complete(self, name: str, where: str, attempt: int = 1, **more: Any) -> None:
        """A step has its result."""
        self.tell(name, StepCompleted(at=self.now, step=where, attempt=attempt, output={"ok": True}, **more))


def sound() -> Written:
    """A run with everything in it that the checks look at."""
    run = Written()
    run.client.append(Opened(order=run.tick(), session="1"))
    run.start("e1", everything(), budget=10.0)
    key = run.let_through("e1", "keyed", "keyed", cost=2.0)
    run.call("e1", "keyed", "keyed", key)
    lost = Failure(code="transient", message="no answer", retryable=True)
    run.tell("e1", StepFailed(at=run.now, step="keyed", attempt=1, error=lost))
    run.now += 2000
    run.tell("e1", TimerFired(at=run.now, timer="retry:keyed"))
    run.let_through("e1", "keyed", "keyed", attempt=2, cost=2.0)
    run.call("e1", "keyed", "keyed", key, attempt=2, applied=False, absorbed=True)
    run.complete("e1", "keyed", attempt=2, cost=2.0)
    _asked(run)
    _parked(run)
    _held(run)
    _decided(run)
    run.now += 5000
    run.tell("e1", TimerFired(at=run.now, timer="wait:pause"))
    run.client.append(Ended(order=run.tick(), session="1", how="closed", took_ms=12))
    return run


def _asked(run: Written) -> None:
    key = run.let_through("e1", "ask", "queryable")
    run.call("e1", "ask", "queryable", key, applied=False)
    facts: dict[str, Any] = {"agent": "outside", "action": "look", "risk": "R0", "effect": "read"}
    run.tell("e1", CallStarted(at=run.now, call="ask/lookup", step="ask", attempt=1, **facts))
    run.tell("e1", CallEnded(at=run.now, call="ask/lookup", payload="", output=None))
    run.let_through("e1", "ask", "queryable")
    run.call("e1", "ask", "queryable", key)
    run.complete("e1", "ask")


def _parked(run: Written) -> None:
    run.tell("e1", ExecutionPaused(at=run.now, actor="anna"))
    run.answer("e1", "pause", actor="anna")
    run.tell("e1", ExecutionResumed(at=run.now, actor="anna"))
    run.answer("e1", "resume", actor="anna")
    key = run.let_through("e1", "once", "at_most_once")
    run.call("e1", "once", "at_most_once", key)
    run.tell("e1", StepOutcomeUnknown(at=run.now, step="once", attempt=1, key=key))
    settled = StepOutcomeResolved(at=run.now, step="once", attempt=1, happened=True, actor="anna")
    run.tell("e1", settled)
    run.answer("e1", "resolve", subject="once", actor="anna")


def _held(run: Written) -> None:
    """The step `held` needs a person for exactly what it does."""
    payload = digest_of({"agent": "outside", "action": "keyed", "inputs": {}})
    run.tell(
        "e1",
        ApprovalRequested(
            at=run.now,
            step="held",
            attempt=1,
            approval_id="apr_held",
            reason="R3",
            kind="approval",
            expires_at=run.now + 60_000,
            payload=payload,
        ),
    )
    run.tell("e1", _decision(run, "held", "apr_held", payload))
    run.answer("e1", "approve", subject="apr_held", actor="boss")
    key = run.let_through("e1", "held", "keyed", cost=1.0)
    run.call("e1", "held", "keyed", key)
    run.complete("e1", "held", cost=1.0)


def _decided(run: Written) -> None:
    """The step `person` is an approval of its own; the machine has asked already."""
    approval = run.machines["e1"].state.steps["person"].approval
    run.tell("e1", _decision(run, "person", approval, ""))
    run.answer("e1", "approve", subject=approval, actor="boss")
    run.tell("e1", SignalReceived(at=run.now, name="order.paid", signal_id="sig_1", data=3))
    for _ in range(2):
        run.answer("e1", "signal", subject="sig_1")


def _decision(run: Written, where: str, approval: str, payload: str) -> ApprovalDecided:
    return ApprovalDecided(
        at=run.now, step=where, approval_id=approval, decision="approved", actor="boss", payload=payload
    )
