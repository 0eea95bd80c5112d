"""Encrypted data folders: what is told from what, and changing the key with everything that can go wrong."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import apsw
import pytest

from dirigent.domain.errors import (
    Conflict,
    DataFolderBusy,
    JournalDamaged,
    NotFound,
    StorageFailure,
    WrongKey,
)
from dirigent.ports import MemoryItem
from dirigent.security.folder_key import FolderKey, new_key
from dirigent.storage.sqlite.encryption import MARKER, open_key, read_marker
from dirigent.storage.sqlite.journal import SqliteJournal, verify_folder
from dirigent.storage.sqlite.lock import DataFolderLock
from dirigent.storage.sqlite.memory import SqliteMemory
from dirigent.storage.sqlite.queue import SqliteQueue
from dirigent.storage.sqlite.records import SqliteRecords
from dirigent.storage.sqlite.reencryption import encrypt, rotate
from dirigent.testing.frozen_clock import FrozenClock
from tests.storage.journals import WAL, copied, note

OLD, NEW, OTHER = new_key(), new_key(), new_key()
PASSPHRASE = "correct horse battery staple"
CANARY = "canary-that-sings"
FILES = ["journal.db", "memory.db", "queue.db", "records.db"]


def furnish(folder: Path, given: str | None) -> None:
    """A folder of four databases with something in each."""
    folder.mkdir(parents=True, exist_ok=True)
    key = open_key(folder, given)

    async def work() -> None:
        journal = SqliteJournal.open(folder, key=key)
        await journal.append("run", 0, [note(number, CANARY * 200) for number in range(20)])
        await journal.close()

    asyncio.run(work())
    with closing(SqliteRecords(folder / "records.db", key=key)) as records:
        records.save("t", "products", [{"sku": CANARY, "name": CANARY, "price": 1.0}])
    with closing(SqliteMemory(folder / "memory.db", key)) as memory:
        memory.store("t", [MemoryItem(id="1", kind="k", text=CANARY, data={}, created_at="", source="")])
    with closing(SqliteQueue(folder / "queue.db", FrozenClock(), key=key)) as queue:
        queue.enqueue("runs.goal", {"text": CANARY, "job_id": "one"})


def contents(folder: Path, given: str | None) -> list[Any]:
    """What a furnished folder says under a key."""
    key = open_key(folder, given)
    assert not verify_folder(folder, key).damages
    journal = SqliteJournal.open(folder, key=key)
    try:
        found: list[Any] = [event.output for event in journal.read("run")]  # type: ignore[attr-defined]
    finally:
        asyncio.run(journal.close())
    with closing(SqliteRecords(folder / "records.db", key=key)) as records:
        found += [row["name"] for row in records.fetch("t", "products")]
    with closing(SqliteMemory(folder / "memory.db", key)) as memory:
        found += [item.text for item, _ in memory.search("t", CANARY)]
    with closing(SqliteQueue(folder / "queue.db", FrozenClock(), key=key)) as queue:
        found += [job.message["text"] for job in queue.jobs()]
    return found


def showing(folder: Path, text: str = CANARY) -> list[str]:
    """The files of a folder in which a text can be read."""
    return sorted(file.name for file in folder.iterdir() if text.encode() in file.read_bytes())


WHOLE = [CANARY * 200] * 20 + [CANARY] * 3


@pytest.fixture
def encrypted(tmp_path: Path) -> Path:
    furnish(tmp_path / "data", OLD)
    return tmp_path / "data"


def test_nothing_can_be_read_without_the_key(encrypted: Path, tmp_path: Path) -> None:
    """The same content in a folder without a key shows in every file."""
    furnish(tmp_path / "plain", None)
    assert set(FILES) <= {name.removesuffix("-wal") for name in showing(tmp_path / "plain")}
    assert showing(encrypted) == []
    assert contents(encrypted, OLD) == contents(tmp_path / "plain", None) == WHOLE
    assert OLD not in (encrypted / MARKER).read_text()


def test_the_key_that_is_needed_is_named(encrypted: Path, tmp_path: Path) -> None:
    """None, another one, and one where none is needed; nothing is written."""
    marker = read_marker(encrypted)
    assert marker is not None
    assert marker.key is not None
    before = {file.name: file.read_bytes() for file in encrypted.iterdir()}
    for given, told in ((None, "no key is given"), (OTHER, "the one given is")):
        with pytest.raises(WrongKey, match=f"{marker.key.id}.*{told}"):
            open_key(encrypted, given)
    assert {file.name: file.read_bytes() for file in encrypted.iterdir()} == before
    furnish(tmp_path / "plain", None)
    with pytest.raises(WrongKey, match="is not encrypted") as refused:
        open_key(tmp_path / "plain", OLD)
    assert "dirigent key encrypt" in refused.value.fix


def test_a_folder_is_begun_with_one_key(tmp_path: Path) -> None:
    """The first one that is given; a passphrase opens it again."""
    first = open_key(tmp_path / "data", PASSPHRASE)
    again = open_key(tmp_path / "data", PASSPHRASE)
    assert isinstance(first, FolderKey)
    assert isinstance(again, FolderKey)
    assert first.hex() == again.hex()
    with pytest.raises(WrongKey):
        open_key(tmp_path / "data", OTHER)
    assert sorted(file.name for file in (tmp_path / "data").iterdir()) == [MARKER]


def test_damage_is_not_taken_for_a_wrong_key(encrypted: Path) -> None:
    """The marker knows that the key is right, so what cannot be read is damaged; page by page."""
    key = open_key(encrypted, OLD)
    content = (encrypted / "journal.db").read_bytes()
    for place in (30, 3000, len(content) // 2, len(content) - 40):
        damaged = bytearray(content)
        damaged[place] ^= 1
        (encrypted / "journal.db").write_bytes(damaged)
        try:
            found = [str(damage) for damage in verify_folder(encrypted, key).damages]
        except JournalDamaged as error:
            found = [str(error)]
        assert found, place
    (encrypted / "journal.db").write_bytes(content)
    assert contents(encrypted, OLD) == WHOLE


@pytest.mark.parametrize(
    "text", ["", "{}x", '{"key": 7}', json.dumps({"key": {"id": "a", "salt": "no hex"}})]
)
def test_a_marker_that_cannot_be_read_is_named(encrypted: Path, text: str) -> None:
    """It is not taken for a folder that is not encrypted."""
    (encrypted / MARKER).write_text(text)
    with pytest.raises(StorageFailure, match=MARKER):
        open_key(encrypted, OLD)


def test_a_marker_of_a_newer_version_is_refused(encrypted: Path) -> None:
    """Its cipher may be another one."""
    said = json.loads((encrypted / MARKER).read_text())
    (encrypted / MARKER).write_text(json.dumps(said | {"format": 2}))
    with pytest.raises(StorageFailure, match="newer"):
        open_key(encrypted, OLD)


def test_a_sqlite_without_ciphers_writes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It would take the key for nothing and write in plain."""
    monkeypatch.delattr(apsw, "mc_version")
    with pytest.raises(StorageFailure, match="cannot encrypt"):
        furnish(tmp_path, OLD)
    assert [file.name for file in tmp_path.iterdir() if file.suffix == ".db" and file.stat().st_size] == []


def test_a_marker_that_was_lost_is_made_anew(encrypted: Path) -> None:
    """Its absence is not taken for a plain folder; a random key is all that is needed to make it again."""
    (encrypted / MARKER).unlink()
    with pytest.raises(StorageFailure, match=f"{MARKER} is missing"):
        open_key(encrypted, OLD)
    with pytest.raises(StorageFailure, match="another key"):
        encrypt(encrypted, OTHER)
    encrypt(encrypted, OLD)
    assert contents(encrypted, OLD) == WHOLE


@pytest.mark.parametrize("new", [NEW, PASSPHRASE], ids=["random", "passphrase"])
def test_encrypt(tmp_path: Path, new: str) -> None:
    """A plain folder with a WAL that was left behind becomes one in which nothing can be read."""
    furnish(tmp_path, None)
    told: list[str] = []
    encrypt(tmp_path, new, lambda file: told.append(file.name))
    assert told == FILES
    assert showing(tmp_path) == []
    assert contents(tmp_path, new) == WHOLE
    with pytest.raises(WrongKey):
        open_key(tmp_path, None)
    with pytest.raises(Conflict, match="encrypted already"):
        encrypt(tmp_path, new)
    assert not list(tmp_path.glob("*.encrypting*"))


def test_rotate(encrypted: Path) -> None:
    """Every file is under the new key alone; asked again nothing happens."""
    before = {name: (encrypted / name).read_bytes() for name in FILES}
    told: list[str] = []
    id = rotate(encrypted, OLD, NEW, lambda file: told.append(file.name))
    assert told == FILES
    assert all((encrypted / name).read_bytes() != content for name, content in before.items())
    with pytest.raises(WrongKey, match=id):
        open_key(encrypted, OLD)
    assert contents(encrypted, NEW) == WHOLE
    assert rotate(encrypted, OLD, NEW, lambda file: told.append(file.name)) == id
    assert told == FILES
    for name in FILES:
        with closing(apsw.Connection(str(encrypted / name))) as found, pytest.raises(apsw.NotADBError):
            found.execute("SELECT count(*) FROM sqlite_schema").fetchall()


KILLED = """
import os, sys
from pathlib import Path
from dirigent.storage.sqlite.reencryption import encrypt, rotate
folder, old, new, files = Path(sys.argv[1]), sys.argv[2], sys.argv[3], int(sys.argv[4])
told = []
def count(file):
    told.append(file)
    if len(told) == files:
        (folder / "journal.db.encrypting").write_bytes(b"half a copy")
        os._exit(9)
if old:
    rotate(folder, old, new, count)
else:
    encrypt(folder, new, count)
"""


@pytest.mark.parametrize("files", [1, 2, 3, 4])
@pytest.mark.parametrize("old", ["", OLD], ids=["plain", "encrypted"])
def test_a_crash_between_two_files_is_gone_on_from(tmp_path: Path, old: str, files: int) -> None:
    """Until then nothing opens the folder, with either key; called again with the same keys it is done."""
    furnish(tmp_path, old or None)
    done = subprocess.run(
        [sys.executable, "-c", KILLED, str(tmp_path), old, NEW, str(files)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        check=False,
    )
    assert done.returncode == 9
    for given in (old or None, NEW):
        with pytest.raises(WrongKey, match="has not ended") as refused:
            open_key(tmp_path, given)
        assert f"dirigent key {'rotate' if old else 'encrypt'}" in refused.value.fix
    with pytest.raises(WrongKey, match="the one given is"):
        again(tmp_path, old, OTHER)
    rest = again(tmp_path, old, NEW)
    assert rest == FILES[files:]
    assert contents(tmp_path, NEW) == WHOLE
    assert showing(tmp_path) == []
    assert not list(tmp_path.glob("*.encrypting*"))


def again(folder: Path, old: str, new: str) -> list[str]:
    """Call a second time; returns the files that were left to do."""
    told: list[str] = []
    if old:
        rotate(folder, old, new, lambda file: told.append(file.name))
    else:
        encrypt(folder, new, lambda file: told.append(file.name))
    return told


def test_a_wal_that_a_crash_left_is_taken_along(encrypted: Path, tmp_path: Path) -> None:
    """What stands in it alone is there under the new key, and a wrong key leaves it as it is."""
    key = open_key(encrypted, OLD)

    async def crash() -> Path:
        journal = SqliteJournal.open(encrypted, key=key)
        await journal.append("late", 0, [note(1, CANARY)])
        left = copied(encrypted, tmp_path / "left")
        await journal.close()
        return left

    left = asyncio.run(crash())
    content = (left / WAL).read_bytes()
    assert content
    assert CANARY.encode() not in content
    with pytest.raises(WrongKey):
        rotate(left, OTHER, NEW)
    assert (left / WAL).read_bytes() == content
    rotate(left, OLD, NEW)
    journal = SqliteJournal.open(left, key=open_key(left, NEW))
    assert journal.head("late") == 1
    asyncio.run(journal.close())


def test_nobody_else_may_have_a_file_open(encrypted: Path) -> None:
    """Neither the folder nor a file that processes share; it is found before the first file is changed."""
    with DataFolderLock(encrypted, command="dirigent serve"), pytest.raises(DataFolderBusy, match="serve"):
        rotate(encrypted, OLD, NEW)
    key = open_key(encrypted, OLD)
    with closing(SqliteQueue(encrypted / "queue.db", FrozenClock(), key=key)) as queue:
        queue.enqueue("runs.goal", {"text": CANARY, "job_id": "two"})
        with pytest.raises(DataFolderBusy, match=r"queue\.db"):
            rotate(encrypted, OLD, NEW)
        queue.enqueue("runs.goal", {"text": CANARY, "job_id": "three"})
        assert open_key(encrypted, OLD) is not None
    rotate(encrypted, OLD, NEW)
    assert contents(encrypted, NEW) == [*WHOLE, CANARY, CANARY]


def test_a_file_that_is_not_whole_stops_it_before_anything_is_changed(encrypted: Path) -> None:
    """Damage is found first, so that no folder is left half done because of it."""
    content = bytearray((encrypted / "records.db").read_bytes())
    content[len(content) // 2] ^= 1
    (encrypted / "records.db").write_bytes(content)
    with pytest.raises(StorageFailure, match=r"records\.db is damaged"):
        rotate(encrypted, OLD, NEW)
    key = open_key(encrypted, OLD)
    assert not verify_folder(encrypted, key).damages


def test_what_is_not_there_is_said(tmp_path: Path) -> None:
    """A folder, a database, an encryption to change."""
    with pytest.raises(NotFound):
        rotate(tmp_path / "nowhere", OLD, NEW)
    with pytest.raises(NotFound):
        encrypt(tmp_path, NEW)
    with pytest.raises(Conflict, match="not encrypted"):
        rotate(tmp_path, OLD, NEW)
    assert read_marker(tmp_path) is None
