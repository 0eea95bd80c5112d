"""Executions folded from their streams, the long ones from the last state that was kept of them."""

from __future__ import annotations

from dirigent.domain.event import Event, ExecutionStarted
from dirigent.interpreter import snapshot
from dirigent.interpreter.machine import Machine
from dirigent.ports import Journal, Snapshots
from dirigent.runtimes.definitions import Definitions
from dirigent.runtimes.live import SNAPSHOT_EVENTS, LiveExecution

SNAPSHOT_BYTES_PER_EVENT = 500


class Folding:
    """Reads executions from a journal, and keeps snapshots of those that grow long where there is room."""

    def __init__(self, journal: Journal, definitions: Definitions, snapshots: Snapshots | None) -> None:
        self._journal = journal
        self._definitions = definitions
        self._snapshots = snapshots

    def fold(self, execution_id: str) -> tuple[Machine, Event | None]:
        """An execution folded from its last snapshot or its beginning, and its last event since then.

        Raises `JournalDamaged` where its stream cannot be read, `NotFound` where its definition is not there.
        """
        machine = self._restored(execution_id)
        events = self._journal.read(execution_id, machine.state.version if machine is not None else 0)
        if machine is None:
            started = events[0]
            assert isinstance(started, ExecutionStarted), "every execution starts with its start"
            machine = Machine(self._definitions.graph(started.definition))
        for event in events:
            machine.apply(event)
        return machine, events[-1] if events else None

    def keep(self, live: LiveExecution) -> None:
        """Keep the state of a long execution; the larger it is, the longer until the next time."""
        live.snapshot_at = live.machine.state.version + SNAPSHOT_EVENTS
        state = snapshot.taken(live.machine) if self._snapshots is not None else None
        if self._snapshots is not None and state is not None:
            self._snapshots.keep(live.execution_id, state)
            live.snapshot_at += len(state) // SNAPSHOT_BYTES_PER_EVENT

    def forget(self, live: LiveExecution) -> None:
        """An execution has ended: nothing is kept of it."""
        if self._snapshots is not None and live.machine.state.version >= SNAPSHOT_EVENTS:
            self._snapshots.forget(live.execution_id)

    def _restored(self, execution_id: str) -> Machine | None:
        kept = self._snapshots.get(execution_id) if self._snapshots is not None else None
        definition = snapshot.definition_of(kept.state) if kept is not None else None
        if kept is None or definition is None:
            return None
        return snapshot.restored(kept.state, self._definitions.graph(definition))
