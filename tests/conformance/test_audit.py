"""Every audit store passes the whole suite."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

from dirigent.storage.in_memory.audit import InMemoryAudit
from dirigent.storage.sqlite.audit import SqliteAudit
from dirigent.testing.audit_conformance import Audit, AuditConformance, run_record
from dirigent.testing.frozen_clock import FrozenClock


class TestInMemoryAudit(AuditConformance):
    """For one process."""

    def make_audit(self, folder: Path, clock: FrozenClock) -> Audit:
        return InMemoryAudit(clock)


class TestSqliteAudit(AuditConformance):
    """For the processes of one machine, durable."""

    def make_audit(self, folder: Path, clock: FrozenClock) -> Audit:
        return SqliteAudit(folder / "audit.db", clock)

    def test_it_survives_its_process(self, tmp_path: Path) -> None:
        """What was kept is there when the file is opened anew."""
        with closing(self.make_audit(tmp_path, FrozenClock())) as audit:
            audit.keep(run_record())
        with closing(self.make_audit(tmp_path, FrozenClock())) as audit:
            assert audit.attempts("run_1") == [run_record()]
