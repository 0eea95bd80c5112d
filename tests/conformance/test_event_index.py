"""Every index of domain events passes the whole suite."""

from pathlib import Path

from dirigent.storage.sqlite.event_index import SqliteEventIndex
from dirigent.storage.sqlite.journal import SqliteJournal
from dirigent.testing.event_index_conformance import EventIndexConformance, Pair
from dirigent.testing.memory_event_index import MemoryEventIndex
from dirigent.testing.memory_journal import MemoryJournal


class TestMemoryEventIndex(EventIndexConformance):
    """The stand-in keeps the same promises."""

    def make_pair(self, tmp_path: Path) -> Pair:
        journal = MemoryJournal()
        return journal, MemoryEventIndex(journal)


class TestSqliteEventIndex(EventIndexConformance):
    """The index that a data folder holds."""

    def make_pair(self, tmp_path: Path) -> Pair:
        journal = SqliteJournal.open(tmp_path)
        return journal, SqliteEventIndex(tmp_path)
