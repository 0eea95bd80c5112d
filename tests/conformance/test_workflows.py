"""Every reading of stored workflows passes the whole suite."""

from pathlib import Path

from dirigent.storage.sqlite.journal import SqliteJournal
from dirigent.storage.sqlite.workflows import SqliteWorkflows
from dirigent.testing.memory_journal import MemoryJournal
from dirigent.testing.memory_workflows import MemoryWorkflows
from dirigent.testing.workflows_conformance import Pair, WorkflowsConformance


class TestMemoryWorkflows(WorkflowsConformance):
    """The stand-in keeps the same promises."""

    def make_pair(self, tmp_path: Path) -> Pair:
        journal = MemoryJournal()
        return journal, MemoryWorkflows(journal)


class TestSqliteWorkflows(WorkflowsConformance):
    """The reading that a data folder holds."""

    def make_pair(self, tmp_path: Path) -> Pair:
        journal = SqliteJournal.open(tmp_path)
        return journal, SqliteWorkflows(tmp_path)
