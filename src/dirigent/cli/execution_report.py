"""One execution told: its status, its steps, what came out, and where to look next."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

import msgspec
from rich.table import Table

from dirigent.bootstrap.beside import Books
from dirigent.cli.screen import Screen, amount, facts, quoted, span, table
from dirigent.cli.waits import Wait, waits_of
from dirigent.domain.canonical import plain
from dirigent.interpreter.reading import Reading, StepReading
from dirigent.ports import ExecutionRow

WITHOUT_RESULT = ("failed", "blocked", "rejected", "cancelled")
ITEMS_SHOWN = 10
WAITS_SHOWN = 10
WIDE = 110
OUTPUT_CHARACTERS_MAX = 4000


def show_execution(screen: Screen, books: Books, reading: Reading, *, everything: bool = False) -> None:
    """Print how an execution stands."""
    screen.heading(str(reading.started.labels.get("summary") or reading.started.workflow))
    waits = [] if reading.ended_at else waits_of(books.engine, reading.execution_id)
    screen.show(facts(_standing(reading, waits)))
    steps = list(reading.steps.values())
    shown = steps if everything else _without_many_items(steps)
    if shown:
        screen.heading("Steps")
        screen.show(_steps_table(shown))
        if len(shown) < len(steps):
            screen.say(f"… {len(steps) - len(shown)} more: dirigent show {reading.execution_id} --all")
    for refusal in reading.refusals:
        screen.say(f"refused: {refusal.agent}.{refusal.action} in {refusal.step}: {refusal.reason}")
    if reading.output is not None and (reading.output or reading.status not in WITHOUT_RESULT):
        screen.heading("Output")
        screen.show(quoted(_json(reading.output, everything=everything)))
    screen.heading("Where to look next")
    screen.commands(_next_commands(books, reading, waits))


def execution_as_dict(reading: Reading, waits: Sequence[Wait] = ()) -> dict[str, Any]:
    """An execution as JSON data, with what it waits for."""
    started = reading.started
    return {
        "execution_id": reading.execution_id,
        "workflow": started.workflow,
        "definition": started.definition,
        "tenant": started.passport.tenant,
        "autonomy": started.passport.autonomy,
        "status": reading.status,
        "paused": reading.paused,
        "forked_from": started.forked_from or None,
        "input": started.input,
        "steps": [plain(step) for step in reading.steps.values()],
        "waits_for": [asdict(wait) for wait in waits],
        "output": reading.output,
        "error": plain(reading.error),
        "compensations": plain(list(reading.compensations)),
        "spent": round(reading.spent, 6),
        "started_at": moment(started.at),
        "finished_at": moment(reading.ended_at) if reading.ended_at else None,
        "events": reading.events,
    }


def list_executions(rows: Sequence[ExecutionRow], width: int) -> Table:
    """One line per execution; a narrow screen gets fewer columns."""
    columns: dict[str, Callable[[ExecutionRow], str]] = {
        "execution": lambda row: row.execution_id,
        "status": lambda row: standing(row.status, paused=row.paused),
        "started (UTC)": lambda row: moment(row.started_at)[:16].replace("T", " "),
        "time": lambda row: span((row.ended_at - row.started_at) / 1000) if row.ended_at else "",
        "what": lambda row: row.summary,
    }
    if width < WIDE:
        del columns["started (UTC)"], columns["time"]
    shown = [[of(row) for of in columns.values()] for row in rows]
    return table(tuple(columns), shown, right=("time",), whole=("execution", "status", "started (UTC)"))


def standing(status: str, *, paused: bool) -> str:
    """How an execution stands, for people: an undoing that is paused says both."""
    return f"{status}, paused" if paused and status != "paused" else status


def moment(ms: int | None) -> str:
    """A time as people and programs read it; empty for none."""
    return datetime.fromtimestamp(ms / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if ms else ""


def _standing(reading: Reading, waits: Sequence[Wait]) -> Iterator[tuple[str, Any]]:
    started = reading.started
    yield "execution", reading.execution_id
    yield "workflow", f"{started.workflow}, version {started.definition[:12]}"
    if started.forked_from:
        yield "forked from", f"{started.forked_from}, after its event {started.forked_at}"
    yield "status", standing(reading.status, paused=reading.paused)
    if waits:
        yield "waits for", waits_in_words(waits, reading.execution_id)
    if reading.error:
        yield "why", f"{reading.error.message} ({reading.error.code})"
    left = [note for note in reading.compensations if note.error is not None]
    if left:
        yield "not undone", "; ".join(f"{note.step}: {note.error.message}" for note in left if note.error)
    yield "tenant", started.passport.tenant
    yield "cost", amount(reading.spent)
    if reading.ended_at:
        yield "time", span((reading.ended_at - started.at) / 1000)


def _without_many_items(steps: list[StepReading]) -> list[StepReading]:
    """Every step, and of a `foreach` step the first items and those that did not go well."""
    items = dict.fromkeys(_item(step) for step in steps if "[" in step.id)
    shown = set(list(items)[:ITEMS_SHOWN])
    return [step for step in steps if "[" not in step.id or _item(step) in shown or _odd(step)]


def _item(step: StepReading) -> str:
    """The item that a step is or stands in: `each[3]` for `each[3].write`."""
    return step.id.partition("]")[0]


def _odd(step: StepReading) -> bool:
    return step.status in ("failed", "outcome_unknown")


def _steps_table(steps: list[StepReading]) -> Table:
    rows = [
        (
            step.id,
            f"{step.agent}.{step.action}" if step.agent else "",
            step.status,
            step.attempts or "",
            span(step.duration_ms / 1000) if step.ended_at else "",
            _note(step),
        )
        for step in steps
    ]
    return table(
        ("step", "who", "status", "tries", "time", "note"), rows, right=("tries", "time"), whole=("step",)
    )


def _note(step: StepReading) -> str:
    if step.error is not None:
        return f"{step.error.code}: {step.error.message}"
    if step.approval and step.status in ("waiting", "held"):
        return f"{step.approval}: {step.reason}"
    return step.reason or step.child


def _json(value: Any, *, everything: bool) -> str:
    text = msgspec.json.format(msgspec.json.encode(plain(value)), indent=2).decode()
    if everything or len(text) <= OUTPUT_CHARACTERS_MAX:
        return text
    return f"{text[:OUTPUT_CHARACTERS_MAX]}\n… {len(text) - OUTPUT_CHARACTERS_MAX:,} characters more"


def _next_commands(books: Books, reading: Reading, waits: Sequence[Wait]) -> Iterator[tuple[str, str]]:
    own = reading.execution_id
    asked = next(iter(books.engine.approvals(execution=own)), None)
    if asked is not None:
        yield f"dirigent approvals show {asked.approval_id}", "what exactly is asked"
    if any(wait.kind == "outcome" for wait in waits):
        yield f"dirigent outcomes --execution {own}", "what was sent, when, under which key"
    if not (waits or books.held or reading.ended_at):
        yield f"dirigent resume {own.partition('/')[0]}", "nobody works on it; go on where it stopped"
    yield from {wait.command: wait.note for wait in waits[:WAITS_SHOWN]}.items()
    if len(waits) > WAITS_SHOWN:
        yield f"dirigent show {own} -o json", f"all {len(waits)} waits"
    if reading.status in WITHOUT_RESULT and not reading.started.parent:
        yield f"dirigent retry {own}", "do what is left undone, in a new run"
    for child in books.engine.children(own):
        yield f"dirigent show {child.execution_id}", f"what {child.workflow} did"
    yield f"dirigent logs {own}", "every event of its journal"


def waits_in_words(waits: Sequence[Wait], own: str) -> str:
    """Waits in a line, each with its step and the execution where that is another one."""
    told = [f"{wait.what} ({_place(wait, own)})" if wait.step else wait.what for wait in waits[:WAITS_SHOWN]]
    return "; ".join(told) + (f"; and {len(waits) - WAITS_SHOWN} more" if len(waits) > WAITS_SHOWN else "")


def _place(wait: Wait, own: str) -> str:
    inside = wait.execution_id.removeprefix(own).strip("/")
    return f"{inside}/{wait.step}" if inside else wait.step
