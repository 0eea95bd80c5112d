"""Triggers and history of a data folder, looked at or gone through once more while nothing runs there."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing, contextmanager
from functools import partial

from dirigent.bootstrap.beside import need_journal, reading
from dirigent.bootstrap.keys import folder_key, folder_lock
from dirigent.domain.event import ConnectorAdvanced, TriggerPaused
from dirigent.domain.trigger import ScheduleTrigger
from dirigent.intake.connectors.definition import ConnectorDefinition, load_connectors
from dirigent.intake.connectors.polling import connector_stream
from dirigent.intake.events.log import EventLog
from dirigent.intake.events.sourcing import EventSourcing
from dirigent.intake.events.upcasting import Upcasters
from dirigent.intake.library.store import WorkflowStore
from dirigent.intake.schedules.times import times_of
from dirigent.intake.triggers.armed import Armed, arm
from dirigent.intake.triggers.at_work import TriggerState
from dirigent.intake.triggers.firing import pause_stream
from dirigent.intake.triggers.matching import foresee
from dirigent.intake.triggers.table import TriggerTable
from dirigent.intake.workflows import Workflow, files_of
from dirigent.ports import EventIndex, Firings
from dirigent.runtimes.clock import SystemClock
from dirigent.settings import Settings
from dirigent.storage.sqlite.database import DATABASE
from dirigent.storage.sqlite.event_index import SqliteEventIndex
from dirigent.storage.sqlite.firings import SqliteFirings
from dirigent.storage.sqlite.journal import SqliteJournal
from dirigent.storage.sqlite.projections import SqliteProjections
from dirigent.storage.sqlite.reading import Reader
from dirigent.storage.sqlite.workflows import SqliteWorkflows


@contextmanager
def looking_at_events(settings: Settings) -> Iterator[tuple[EventIndex, Firings]]:
    """The events and firings of a folder, beside whoever works in it; raises `NotFound`."""
    folder = settings.data_folder
    need_journal(folder)
    key = folder_key(settings)
    with closing(SqliteEventIndex(folder, key)) as index, closing(SqliteFirings(folder, key)) as firings:
        yield index, firings


def trigger_states(settings: Settings) -> list[TriggerState]:
    """How the triggers stand that would be at work in a folder, without anybody at work."""
    if not (settings.data_folder / DATABASE).is_file():
        return [_state(armed, None) for armed in _table(settings, None)]
    with reading(settings) as books, closing(_reader(settings)) as reader:
        found = _table(settings, books.library)
        return [_state(armed, reader) for armed in found]


def connector_news(settings: Settings) -> list[tuple[ConnectorDefinition, ConnectorAdvanced | None]]:
    """The connectors there are, each with what is on record of its last poll that brought something."""
    definitions = load_connectors(settings.connectors)
    if not (settings.data_folder / DATABASE).is_file():
        return [(one, None) for one in definitions]
    with closing(_reader(settings)) as reader:
        return [(one, _news(one, settings, reader)) for one in definitions]


def _reader(settings: Settings) -> Reader:
    return Reader(settings.data_folder / DATABASE, folder_key(settings))


def _news(one: ConnectorDefinition, settings: Settings, reader: Reader) -> ConnectorAdvanced | None:
    events = reader.events(connector_stream(one.tenant or settings.tenant, one.name), 0)
    last = events[-1] if events else None
    return last if isinstance(last, ConnectorAdvanced) else None


@asynccontextmanager
async def replaying(settings: Settings) -> AsyncIterator[EventSourcing]:
    """Hold a folder to go through its history once more; nothing that waits there is taken up.

    Raises `DataFolderBusy` where another process holds the folder.
    """
    folder = settings.data_folder
    need_journal(folder)
    lock = folder_lock(settings)
    lock.acquire()
    try:
        key = folder_key(settings)
        journal = SqliteJournal.open(folder, key=key)
        try:
            with (
                closing(SqliteEventIndex(folder, key)) as index,
                closing(SqliteFirings(folder, key)) as firings,
                closing(SqliteProjections(folder, key)) as projections,
                closing(SqliteWorkflows(folder, key)) as workflows,
            ):
                table = _table(settings, WorkflowStore(journal, workflows, SystemClock()))
                yield EventSourcing(
                    EventLog(journal, index, SystemClock()),
                    index,
                    journal,
                    rebuild=projections.rebuild,
                    foresee=partial(foresee, table, firings, Upcasters()),
                )
        finally:
            await journal.close()
    finally:
        lock.release()


def _table(settings: Settings, library: WorkflowStore | None) -> TriggerTable:
    """The triggers of the stored workflows in force and of the folder in the settings."""
    table = TriggerTable()
    for row in library.rows() if library is not None else ():
        if row.state == "active":
            assert library is not None, "rows come from it"
            definition = library.get(row.tenant, row.name).definition
            table.put(row.tenant, row.name, arm(definition, row.tenant))
    for file in files_of(settings.workflows):
        definition = Workflow.load(file).definition
        table.put(settings.tenant, definition.name, arm(definition, settings.tenant))
    return table


def _state(armed: Armed, reader: Reader | None) -> TriggerState:
    said = reader.events(pause_stream(armed.tenant, armed.id), 0) if reader is not None else []
    coming: int | None = None
    if isinstance(armed.trigger, ScheduleTrigger):
        coming = next(times_of(armed.trigger).after(SystemClock().now_ms()), None)
    return TriggerState(armed, bool(said) and isinstance(said[-1], TriggerPaused), coming)
