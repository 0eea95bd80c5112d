"""What the SQLite records promise beyond the ports: durability, other connections, failures of the disk."""

import resource
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import apsw
import pytest

from dirigent.domain.errors import DirigentError, StorageFailure
from dirigent.storage.sqlite.records import SCHEMA_VERSION, SqliteRecords

TENANT = "org_a"
PRODUCT = {"sku": "a", "name": "Mug", "price": 1.0}
ENTRY = {
    "source": "products.csv",
    "sha256": "x",
    "mapping_sha256": "y",
    "rows_taken": 1,
    "rows_mended": 0,
    "rows_refused": 0,
    "report": {},
}

SAVE_AND_DIE = """
import os, signal, sys
from dirigent.storage.sqlite.records import SqliteRecords
SqliteRecords(sys.argv[1]).save("org_a", "products", [{"sku": "a", "name": "Mug", "price": 1.0}])
os.kill(os.getpid(), signal.SIGKILL)
"""


@contextmanager
def files_no_larger_than(size: int) -> Iterator[None]:
    """Let writing beyond a size fail, as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_what_was_saved_survives_a_kill(tmp_path):
    """A process that is killed right after `save` returned has lost nothing."""
    path = tmp_path / "records.db"
    done = subprocess.run([sys.executable, "-c", SAVE_AND_DIE, str(path)], check=False)
    assert done.returncode == -signal.SIGKILL
    assert SqliteRecords(path).fetch(TENANT, "products") == [PRODUCT]


def test_saves_wait_for_the_disk(tmp_path):
    """Every commit is synchronised, in write-ahead mode."""
    opened: list[apsw.Connection] = []
    apsw.connection_hooks.append(opened.append)
    try:
        records = SqliteRecords(tmp_path / "records.db")
    finally:
        apsw.connection_hooks.remove(opened.append)
    assert [opened[0].pragma(name) for name in ("journal_mode", "synchronous")] == ["wal", 2]
    records.close()


def test_others_read_and_write_while_a_load_is_under_way(tmp_path):
    """Staging holds nobody up, and shows nobody anything."""
    records = SqliteRecords(tmp_path / "records.db")
    with records.load(TENANT, "products", ["sku"]) as load:
        load.add([(2, "staged")])
        worker = threading.Thread(target=records.save, args=(TENANT, "products", [PRODUCT]))
        worker.start()
        worker.join(timeout=10)
        assert not worker.is_alive()
        assert [row["sku"] for row in records.fetch(TENANT, "products")] == ["a"]
        load.commit(ENTRY)
    assert [row["sku"] for row in records.fetch(TENANT, "products")] == ["a", "staged"]


def test_the_time_of_an_import_comes_from_the_clock_handed_in(tmp_path):
    """`now` is an input."""
    records = SqliteRecords(tmp_path / "records.db", now=lambda: datetime(2024, 11, 26, 14, 30, tzinfo=UTC))
    with records.load(TENANT, "products", ["sku"]) as load:
        load.commit(ENTRY)
    assert records.fetch(TENANT, "imports")[0]["imported_at"] == "2024-11-26T14:30:00Z"


def test_a_full_disk_is_a_storage_failure_and_keeps_what_there_was(tmp_path):
    """The save that does not fit raises in plain words; what was there stays and later saves work."""
    records = SqliteRecords(tmp_path / "records.db")
    records.save(TENANT, "products", [PRODUCT])
    big = [{"sku": f"b{number}", "name": "x" * 1000, "price": 1.0} for number in range(2000)]
    with files_no_larger_than(200_000), pytest.raises(StorageFailure) as caught:
        records.save(TENANT, "products", big)
    assert "records.db" in caught.value.message
    assert caught.value.fix
    assert records.fetch(TENANT, "products") == [PRODUCT]
    assert records.save(TENANT, "products", big) == 2000


def test_a_full_disk_during_a_load_takes_in_nothing(tmp_path):
    """A load that does not fit leaves the records as they were."""
    records = SqliteRecords(tmp_path / "records.db")

    def load_too_much() -> None:
        with records.load(TENANT, "products", ["sku", "name"]) as load:
            load.add([(number, f"b{number}", "x" * 1000) for number in range(2000)])
            with files_no_larger_than(200_000):
                load.commit(ENTRY)

    with pytest.raises(StorageFailure):
        load_too_much()
    assert records.count(TENANT, "products") == 0
    assert records.last_import(TENANT, "products.csv") is None


def test_what_is_no_database_is_said_to_be_damaged(tmp_path):
    """A file of something else is not overwritten."""
    path = tmp_path / "records.db"
    path.write_bytes(b"this is a letter, not a database" * 100)
    with pytest.raises(StorageFailure, match="damaged"):
        SqliteRecords(path)
    assert path.read_bytes().startswith(b"this is a letter")


def test_a_folder_that_is_not_there_is_named(tmp_path):
    """The failure says which file could not be opened."""
    with pytest.raises(StorageFailure, match="cannot be opened"):
        SqliteRecords(tmp_path / "nowhere" / "records.db")


def test_records_of_a_newer_version_are_left_alone(tmp_path):
    """A file with a later schema is refused with the way out."""
    path = tmp_path / "records.db"
    connection = apsw.Connection(str(path))
    connection.pragma("user_version", SCHEMA_VERSION + 1)
    connection.close()
    with pytest.raises(StorageFailure, match="newer Dirigent"):
        SqliteRecords(path)


def test_a_writer_that_does_not_let_go_is_a_passing_failure(tmp_path):
    """Another process that holds the file makes a save fail so that it may be tried again."""
    path = tmp_path / "records.db"
    records = SqliteRecords(path, busy_ms_max=50)
    other = apsw.Connection(str(path))
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(DirigentError) as caught:
        records.save(TENANT, "products", [PRODUCT])
    assert caught.value.code == "transient"
    other.execute("ROLLBACK")
    assert records.save(TENANT, "products", [PRODUCT]) == 1


def test_closing_twice_is_harmless(tmp_path):
    """`close` may be called by everyone who thinks he owns the records."""
    records = SqliteRecords(tmp_path / "records.db")
    records.close()
    records.close()


def test_the_file_is_reopened_as_it_was(tmp_path):
    """Opening again neither loses nor adds anything."""
    path = tmp_path / "records.db"
    first = SqliteRecords(path)
    first.save(TENANT, "products", [PRODUCT])
    first.close()
    assert SqliteRecords(path).fetch(TENANT, "products") == [PRODUCT]
