"""What was seen from outside: by the client that asked, the recorder that was acted upon, the killer."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec

from dirigent.testing.invariants import Called, ClientEntry, Entry, read_log, write_log

CLIENT_LOG = "client.log"
TOLD_LOG = "told.log"
RECORDER_LOG = "recorder.log"


class Witnessed(Called, frozen=True, kw_only=True, tag=True):
    """A call as the recorder noted it: from which life of the engine it came, and how it was answered."""

    session: str
    reply: str = ""


class Life(msgspec.Struct, frozen=True, kw_only=True):
    """One life of the engine's process.

    `ready_s` counts from the start of the process until it took requests, `opened_s` from the opening of the
    data folder; both are 0 where it died before. `killed_ms` is wall-clock time, 0 where it was not killed.
    """

    session: str
    ready_s: float = 0.0
    opened_s: float = 0.0
    killed_ms: int = 0


def as_line(entry: Entry) -> bytes:
    """An entry as a line of a log."""
    return write_log([entry])


def client_log(folder: Path) -> list[ClientEntry]:
    """What the client noted, and what observers in the engine's process were told, in order."""
    found = [entry for name in (CLIENT_LOG, TOLD_LOG) for entry in _entries(folder / name)]
    return sorted(found, key=lambda entry: entry.order)


def recorder_log(folder: Path) -> Sequence[Witnessed]:
    """What the recorder noted, in the order in which the calls arrived."""
    decoder = msgspec.json.Decoder(Witnessed)
    lines = (folder / RECORDER_LOG).read_bytes().splitlines()
    return sorted((decoder.decode(line) for line in lines), key=lambda call: call.order)


def _entries(path: Path) -> list[ClientEntry]:
    found = read_log(path.read_bytes()) if path.exists() else ()
    return [entry for entry in found if not isinstance(entry, Called)]
