"""What an execution and all that it started wait for, each with the command that ends the wait."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from dirigent.engine import Engine
from dirigent.interpreter.expression import parse_expression
from dirigent.interpreter.reading import Reading

LOOKED_AT_MAX = 100  # executions of one family that are read for what they wait for
UNDER_WAY = ("pending", "running", "awaiting_approval", "paused", "cancelling", "compensating")


@dataclass(frozen=True, kw_only=True)
class Wait:
    """One step that waits, for `what`; `command` ends the wait, and `note` says how.

    `kind` is approval (a person decides), signal (somebody tells it), time, outcome (somebody says whether an
    effect happened), or resume (it is paused).
    """

    execution_id: str
    step: str
    kind: Literal["approval", "signal", "time", "outcome", "resume"]
    what: str
    command: str
    note: str


def waits_of(engine: Engine, root: str) -> list[Wait]:
    """What holds up an execution, its own waits before those of what it started."""
    members = itertools.islice(family(engine, root), LOOKED_AT_MAX)
    return [
        wait
        for one in members
        if engine.row(one).status in UNDER_WAY
        for wait in _own_waits(engine, engine.read(one))
    ]


def family(engine: Engine, execution_id: str) -> Iterator[str]:
    """An execution and all that it started, parents first."""
    yield execution_id
    for child in engine.children(execution_id):
        yield from family(engine, child.execution_id)


def _own_waits(engine: Engine, reading: Reading) -> Iterator[Wait]:
    own = reading.execution_id
    wait = functools.partial(Wait, execution_id=own)
    if reading.paused:
        yield wait(step="", kind="resume", what="resume", command=f"dirigent resume {own}", note="go on")
    for asked in engine.approvals(execution=own):
        if asked.execution_id == own:
            held = " --allow-delivery" if asked.kind == "hold" else ""
            command = f"dirigent approve {asked.approval_id}{held}"
            note = f"let {asked.step} go on; dirigent reject says no"
            yield wait(step=asked.step, kind="approval", what="a person", command=command, note=note)
    for told in engine.waiting(execution=own):
        data = "".join(f" -i {field}=VALUE" for field in fields_filtered(engine, own, told.step))
        command, note = f"dirigent signal {own} {told.event}{data}", f"tell {told.step} what it waits for"
        yield wait(step=told.step, kind="signal", what=told.event, command=command, note=note)
    for name, step in reading.steps.items():
        if step.status == "waiting" and step.reason.startswith("until "):
            command = f"dirigent resume {own.partition('/')[0]}"
            note = "be there when its time comes; a server is there anyway"
            yield wait(step=name, kind="time", what=step.reason, command=command, note=note)
        elif step.status == "outcome_unknown":
            command, what = f"dirigent resolve {own} '{name}' --happened", "word on what it sent"
            yield wait(step=name, kind="outcome", what=what, command=command, note="or --not-happened")


def fields_filtered(engine: Engine, execution_id: str, step: str) -> list[str]:
    """The fields of an event's data that the filter of a step reads; the step may stand in an item."""
    node = step.rpartition(".")[2].partition("[")[0]
    steps = engine.definition_of(engine.read(execution_id)).every_step()
    source = next((one.filter for one in steps if one.id == node), "")
    return sorted(parse_expression(source).reads.get("event", {}).get("data", {})) if source else []
