"""Every reading of firings passes the whole suite."""

from pathlib import Path

from dirigent.storage.sqlite.firings import SqliteFirings
from dirigent.storage.sqlite.journal import SqliteJournal
from dirigent.testing.firings_conformance import FiringsConformance, Pair
from dirigent.testing.memory_firings import MemoryFirings
from dirigent.testing.memory_journal import MemoryJournal


class TestMemoryFirings(FiringsConformance):
    """The stand-in keeps the same promises."""

    def make_pair(self, tmp_path: Path) -> Pair:
        journal = MemoryJournal()
        return journal, MemoryFirings(journal)


class TestSqliteFirings(FiringsConformance):
    """The reading that a data folder holds."""

    def make_pair(self, tmp_path: Path) -> Pair:
        journal = SqliteJournal.open(tmp_path)
        return journal, SqliteFirings(tmp_path)
