"""Replay every execution of a data folder and print its state digest and the digest of its commands."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

from dirigent.domain.canonical import digest_of, plain
from dirigent.domain.event import ExecutionStarted
from dirigent.interpreter.loading import definition_from
from dirigent.interpreter.machine import Machine
from dirigent.storage.sqlite.journal import SqliteJournal
from dirigent.storage.sqlite.projections import SqliteProjections


async def replay(folder: Path) -> dict[str, list[str]]:
    """State digest and commands digest by execution."""
    journal, projections = SqliteJournal.open(folder), SqliteProjections(folder)
    digests = {}
    for row in projections.executions(parent=None, limit=10_000):
        events = journal.read(row.execution_id)
        started = events[0]
        assert isinstance(started, ExecutionStarted)
        definition = projections.definition(started.definition)
        assert definition is not None
        machine = Machine(definition_from(definition))
        commands = [plain(command) for event in events for command in machine.apply(event)]
        digests[row.execution_id] = [machine.state.digest(), digest_of(commands)]
    projections.close()
    await journal.close()
    return digests


if __name__ == "__main__":
    print(json.dumps(asyncio.run(replay(Path(sys.argv[1]))), sort_keys=True))
