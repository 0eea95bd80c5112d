"""One process works on a data folder; the next one is told which."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from dirigent.domain.errors import DataFolderBusy
from dirigent.storage.sqlite.lock import DataFolderLock, describe

HOLD = """
import sys
from pathlib import Path
from dirigent.storage.sqlite.lock import DataFolderLock
lock = DataFolderLock(Path(sys.argv[1]), command="dirigent serve")
lock.acquire()
lock.publish("http://127.0.0.1:8000")
print("held", flush=True)
sys.stdin.read()
"""


def holding(folder: Path) -> subprocess.Popen[str]:
    paths = os.pathsep.join(path for path in sys.path if path)
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": paths},
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def test_a_second_holder_is_told_who_has_it(tmp_path: Path) -> None:
    """Process, command, since when, and where it serves."""
    with holding(tmp_path) as process:
        with pytest.raises(DataFolderBusy) as refused:
            DataFolderLock(tmp_path).acquire()
        text = str(refused.value)
        assert f"process {process.pid} (dirigent serve) since 20" in text
        assert "http://127.0.0.1:8000" in text
        process.kill()


def test_a_killed_holder_is_in_nobodys_way(tmp_path: Path) -> None:
    """What it left in the file is no lock."""
    with holding(tmp_path) as process:
        process.kill()
    assert describe(tmp_path) is None
    with DataFolderLock(tmp_path, command="next"):
        holder = describe(tmp_path)
        assert holder is not None
        assert (holder.pid, holder.command, holder.url) == (os.getpid(), "next", "")


def test_describe_says_who_holds_it_now(tmp_path: Path) -> None:
    """None before, the holder while it is held, None afterwards; asking takes nothing away."""
    assert describe(tmp_path) is None
    lock = DataFolderLock(tmp_path, command="dirigent serve")
    lock.acquire()
    lock.publish("http://localhost:1")
    for _ in range(2):
        holder = describe(tmp_path)
        assert holder is not None
        assert (holder.command, holder.url) == ("dirigent serve", "http://localhost:1")
    lock.publish("")
    held = describe(tmp_path)
    assert held is not None
    assert held.url == ""
    lock.release()
    lock.release()
    assert describe(tmp_path) is None


def test_two_locks_of_one_process_exclude_each_other(tmp_path: Path) -> None:
    """Not only other processes: two systems in one program would disturb each other as well."""
    with DataFolderLock(tmp_path), pytest.raises(DataFolderBusy, match=str(os.getpid())):
        DataFolderLock(tmp_path).acquire()


def test_a_holder_that_is_just_writing_is_no_error(tmp_path: Path) -> None:
    """Between taking the lock and saying who one is there is nothing to read yet."""
    with DataFolderLock(tmp_path):
        (tmp_path / "dirigent.lock").write_text("")
        holder = describe(tmp_path)
        assert holder is not None
        assert holder.command == "another process"
        with pytest.raises(DataFolderBusy):
            DataFolderLock(tmp_path).acquire()
