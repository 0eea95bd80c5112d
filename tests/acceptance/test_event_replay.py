"""Replay of ten thousand events: every projection comes out the same, and nothing happens outside."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import apsw

from dirigent import Dirigent, Effect, Risk, action, agent
from dirigent.domain.domain_event import DomainEvent
from dirigent.domain.workflow import Definition, FlowType, Kind, Step
from dirigent.ports import ModelReply
from dirigent.storage.sqlite.comparison import TABLES
from dirigent.storage.sqlite.database import PROJECTIONS_SQL

EVENTS, EXECUTIONS, STEPS = 10_000, 200, 8
SECONDS_MAX = 2.0


@agent("sender", domain="test", max_concurrency=1000)
class Sender:
    """Counts what it does outside."""

    calls = 0

    @action(risk=Risk.R0, effect=Effect.KEYED)
    async def send(self, number: int) -> int:
        """Act outside."""
        Sender.calls += 1
        return number


class CountingModel:
    """A model that counts how often it is asked."""

    provider = "counting"
    calls = 0

    async def ask(self, task: str, prompt: str, **_: Any) -> ModelReply:
        self.calls += 1
        return ModelReply(text="")


def rows(folder: Path) -> dict[str, list[Any]]:
    """Every row of every projection."""
    connection = apsw.Connection(str(folder / "journal.db"), flags=apsw.SQLITE_OPEN_READONLY)
    try:
        return {
            table: connection.execute(PROJECTIONS_SQL[f"every_row_of_{table}"]).fetchall() for table in TABLES
        }
    finally:
        connection.close()


async def test_ten_thousand_events_are_replayed(tmp_path: Path) -> None:
    """All projections deleted and replayed equal their copy; no send, no model call; in under two seconds."""
    steps = tuple(
        Step(id=f"s{n}", kind=Kind.AGENT, agent="sender", action="send", parameters={"number": n})
        for n in range(STEPS)
    )
    flow = Definition(name="work", type=FlowType.PARALLEL, steps=steps)
    model = CountingModel()
    async with Dirigent(tmp_path, agents=[Sender], model=model) as dirigent:
        for _ in range(EXECUTIONS):
            await dirigent.run(flow)
        missing = EVENTS - dirigent.journal.position
        assert missing > 0
        happened = [
            DomainEvent(id=f"e{n}", source="s", type="a.b", tenant="default", data=n) for n in range(missing)
        ]
        await dirigent.triggers.publish_all(happened)
        copy, calls = rows(tmp_path), (Sender.calls, model.calls)
        assert calls[0] == EXECUTIONS * STEPS
        assert len(copy["executions"]) == EXECUTIONS
        assert len(copy["domain_events"]) == missing

        connection = apsw.Connection(str(tmp_path / "journal.db"))
        for table in TABLES:
            connection.execute(f"DELETE FROM {table}")
        connection.close()
        assert dirigent.engine.executions() == []

        position, began = dirigent.journal.position, time.thread_time()
        replayed = dirigent.reactions.event_store.replay_events(shadow=True)
        assert time.thread_time() - began < SECONDS_MAX
        assert EVENTS <= replayed.events <= position
        assert rows(tmp_path) == copy
        assert (Sender.calls, model.calls) == calls
        assert dirigent.journal.position == position
        assert not dirigent.engine.verify().damages
