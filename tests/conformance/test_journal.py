"""Every journal passes the whole suite."""

from pathlib import Path

from dirigent.ports import Journal
from dirigent.security.folder_key import FolderKey
from dirigent.storage.sqlite.journal import SqliteJournal
from dirigent.testing.conformance import JournalConformance
from dirigent.testing.memory_journal import MemoryJournal


class TestMemoryJournal(JournalConformance):
    """The stand-in keeps the same promises."""

    def make_journal(self, tmp_path: Path) -> Journal:
        return MemoryJournal()


class TestSqliteJournal(JournalConformance):
    """The journal that a data folder holds."""

    def make_journal(self, tmp_path: Path) -> Journal:
        return SqliteJournal.open(tmp_path)


class TestEncryptedSqliteJournal(JournalConformance):
    """The same under a key."""

    def make_journal(self, tmp_path: Path) -> Journal:
        return SqliteJournal.open(tmp_path, key=FolderKey(bytes(range(32))))
