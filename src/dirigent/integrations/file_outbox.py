"""An outbox that is a folder: every message that leaves becomes one `.eml` file."""

from __future__ import annotations

import os
import re
import threading
from pathlib import Path

from dirigent.domain.errors import Conflict, InvalidInput, Refused, StorageFailure
from dirigent.security.admission import current_admission

_MESSAGE_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,127}")


class FileOutbox:
    """The port `Outbox` over a folder, which is made when the first message leaves.

    A file appears whole or not at all, and is on stable storage when `deliver` returns. One process
    holds the folder; its threads take turns.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._turn = threading.Lock()

    def deliver(self, message_id: str, content: bytes) -> Path:
        """Write `<message_id>.eml` and return its path; the same bytes again change nothing.

        Raises `Refused` outside an admitted call of an outward action, `InvalidInput` for an id that
        could be a path, `Conflict` for other bytes under a known id, `StorageFailure` when the disk fails.
        """
        _require_admission()
        target = self._folder / f"{_checked_id(message_id)}.eml"
        try:
            with self._turn:
                self._put(target, content)
        except OSError as error:
            raise StorageFailure(
                f"The message {message_id} could not be written to {self._folder}: {error.strerror}.",
                fix="Free space or correct the rights of the folder, and send again.",
            ) from error
        return target

    def _put(self, target: Path, content: bytes) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        if not target.exists():
            _write_whole(target, content)
        elif target.read_bytes() != content:
            raise Conflict(
                f"{target.name} is in the outbox with other content.",
                fix="A message is sent once; write a new one.",
            )
        _sync_folder(self._folder)


def _require_admission() -> None:
    admission = current_admission()
    if admission is None or not admission.entered:
        raise Refused(
            "Nothing leaves but through the dispatcher.",
            rules=("dispatcher.only_way",),
            fix="Call delivery.send with ctx.call(...), which asks for permission first.",
        )
    if not admission.action.outward:
        admission.on_refusal("outbox", "deliver")
        raise Refused(
            f"{admission.agent}.{admission.action.name} is not declared outward.",
            rules=("dispatcher.not_outward",),
            fix="Only an action declared with outward=True may deliver.",
        )
    if admission.held:
        admission.on_refusal("outbox", "deliver")
        raise Refused(f"Nothing may leave: {admission.held}.", rules=("dispatcher.held",))


def _checked_id(message_id: str) -> str:
    if not _MESSAGE_ID.fullmatch(message_id):
        raise InvalidInput(
            f"{message_id!r} is no message id.",
            fix="Use up to 128 letters, digits, - and _, beginning with a letter or digit.",
            field="message_id",
        )
    return message_id


def _write_whole(target: Path, content: bytes) -> None:
    """Write beside the target, make it durable, then give it its name."""
    draft = target.with_name(f".{target.stem}.part")
    with open(draft, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    os.replace(draft, target)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
