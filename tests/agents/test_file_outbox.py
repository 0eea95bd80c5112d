"""The outbox that is a folder: whole files, once, and only for an admitted outward call."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from dirigent.agents.revenue.delivery import DeliveryAgent
from dirigent.agents.revenue.revival_engine import RevivalEngineAgent
from dirigent.domain.errors import Conflict, InvalidInput, Refused, StorageFailure
from dirigent.integrations.file_outbox import FileOutbox
from dirigent.ports import Outbox
from dirigent.security.admission import Admission
from tests.agents.fakes import spec_of


@contextmanager
def leave(agent: type = DeliveryAgent, action: str = "send", entered: bool = True) -> Iterator[list[str]]:
    """The dispatcher's leave for one call; yields what was refused under it."""
    refused: list[str] = []
    admission = Admission(
        "delivery", spec_of(agent, action), lambda who, what: refused.append(f"{who}.{what}")
    )
    with admission:
        admission.entered = entered
        yield refused


def test_a_message_becomes_one_whole_file(tmp_path: Path) -> None:
    """The folder is made, the bytes are there, and nothing half-written stays beside them."""
    outbox = FileOutbox(tmp_path / "outbox")
    assert isinstance(outbox, Outbox)
    with leave():
        path = outbox.deliver("msg_1", b"one")
    assert path == tmp_path / "outbox" / "msg_1.eml"
    assert path.read_bytes() == b"one"
    assert [item.name for item in path.parent.iterdir()] == ["msg_1.eml"]


def test_the_same_message_again_changes_nothing(tmp_path: Path) -> None:
    """Neither bytes nor time of the file move on a repeated hand-over."""
    outbox = FileOutbox(tmp_path)
    with leave():
        before = outbox.deliver("msg_1", b"one").stat()
        after = outbox.deliver("msg_1", b"one").stat()
    assert (after.st_mtime_ns, after.st_ino) == (before.st_mtime_ns, before.st_ino)


def test_other_bytes_under_a_known_id_are_a_conflict(tmp_path: Path) -> None:
    """What has left cannot be replaced."""
    outbox = FileOutbox(tmp_path)
    with leave():
        path = outbox.deliver("msg_1", b"one")
        with pytest.raises(Conflict, match="other content"):
            outbox.deliver("msg_1", b"two")
    assert path.read_bytes() == b"one"


def test_what_a_crash_left_half_written_is_written_anew(tmp_path: Path) -> None:
    """A part file is no message; the next attempt completes it."""
    (tmp_path / ".msg_1.part").write_bytes(b"on")
    with leave():
        assert FileOutbox(tmp_path).deliver("msg_1", b"one").read_bytes() == b"one"
    assert not (tmp_path / ".msg_1.part").exists()


@pytest.mark.parametrize(
    "message_id", ["", "../x", "a/b", "a\\b", ".hidden", "a.eml", "a\0b", "/etc/x", "a" * 129, "ä", "a\n"]
)
def test_an_id_that_could_be_a_path_is_refused(tmp_path: Path, message_id: str) -> None:
    """Only letters, digits, - and _ name a file; nothing is written for anything else."""
    with leave(), pytest.raises(InvalidInput, match="no message id"):
        FileOutbox(tmp_path).deliver(message_id, b"one")
    assert list(tmp_path.iterdir()) == []


def test_nothing_leaves_without_an_admission(tmp_path: Path) -> None:
    """Code that is not inside an admitted call, or whose call has not been entered, is refused."""
    outbox = FileOutbox(tmp_path)
    with pytest.raises(Refused, match="through the dispatcher"):
        outbox.deliver("msg_1", b"one")
    with leave(entered=False), pytest.raises(Refused, match="through the dispatcher"):
        outbox.deliver("msg_1", b"one")
    assert list(tmp_path.iterdir()) == []


def test_an_action_that_is_not_outward_cannot_deliver(tmp_path: Path) -> None:
    """The refusal is told to the dispatcher, which records it."""
    with (
        leave(RevivalEngineAgent, "measure") as refused,
        pytest.raises(Refused, match="not declared outward"),
    ):
        FileOutbox(tmp_path).deliver("msg_1", b"one")
    assert refused == ["outbox.deliver"]
    assert list(tmp_path.iterdir()) == []


def test_a_thread_of_its_own_has_no_leave(tmp_path: Path) -> None:
    """The leave belongs to the call: a thread started on the side does not inherit it."""
    outbox, caught = FileOutbox(tmp_path), []

    def aside() -> None:
        try:
            outbox.deliver("msg_1", b"one")
        except Refused as refusal:
            caught.append(refusal)

    with leave():
        thread = threading.Thread(target=aside)
        thread.start()
        thread.join()
    assert len(caught) == 1


async def test_many_at_once_all_arrive(tmp_path: Path) -> None:
    """Threads of one admitted call take turns; each message is whole, equal ones are one."""
    outbox = FileOutbox(tmp_path)
    with leave():
        await asyncio.gather(
            *(
                asyncio.to_thread(outbox.deliver, f"msg_{n % 10}", str(n % 10).encode() * 1000)
                for n in range(50)
            )
        )
    assert {item.name: item.read_bytes() for item in tmp_path.iterdir()} == {
        f"msg_{n}.eml": str(n).encode() * 1000 for n in range(10)
    }


def test_a_disk_that_fails_is_said_as_such(tmp_path: Path) -> None:
    """A folder that cannot be made is a storage failure with a remedy, not a lost message."""
    (tmp_path / "file").write_bytes(b"")
    with leave(), pytest.raises(StorageFailure, match="send again"):
        FileOutbox(tmp_path / "file").deliver("msg_1", b"one")
