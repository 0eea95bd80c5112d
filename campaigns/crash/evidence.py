"""What was seen from outside: by the client that asked, the recorder that was acted upon, the killer."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec

CLIENT_LOG = "client.log"
RECORDER_LOG = "recorder.log"

ACKNOWLEDGED, REFUSED, UNKNOWN = "acknowledged", "refused", "unknown"


class Entry(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="type"):
    """Base of everything that is logged; `order` is `time.monotonic_ns()`, one clock for all processes."""

    order: int


class Answered(Entry, frozen=True, kw_only=True, tag=True):
    """A request of the client and what came of it.

    `asked` is when it was sent. `result` is acknowledged, refused (with the error's `code`) or unknown, where
    no answer came. `actor` names the request and stands in the event it leads to; `subject` is the approval
    or the step it is about.
    """

    session: str
    request: str
    execution: str
    asked: int
    result: str
    code: str = ""
    tenant: str = ""
    actor: str = ""
    subject: str = ""
    body: str = ""


class Called(Entry, frozen=True, kw_only=True, tag=True):
    """One call that reached the recorder.

    `order` is when it was sent. `applied` says that it took effect, `absorbed` that its key was known and the
    stored answer was given. `reply` says how the recorder behaved.
    """

    tenant: str
    execution: str
    step: str
    attempt: int
    agent: str
    action: str
    effect: str
    key: str
    payload: str
    applied: bool
    absorbed: bool
    session: str
    reply: str


class Killed(msgspec.Struct, frozen=True, kw_only=True):
    """One life of the engine's process: how long it took to be ready, and when it was killed.

    `ready_s` and `opened_s` count from the start of the process and from the opening of the data folder.
    `at_ms` is wall-clock time, milliseconds since the epoch; 0 where it was not killed.
    """

    session: str
    ready_s: float
    opened_s: float
    at_ms: int = 0


_encode = msgspec.json.Encoder().encode


def written(entry: Entry) -> bytes:
    """An entry as a line of a log."""
    return _encode(entry) + b"\n"


def answers(folder: Path) -> Sequence[Answered]:
    """The client's log."""
    decoder = msgspec.json.Decoder(Answered)
    return [decoder.decode(line) for line in (folder / CLIENT_LOG).read_bytes().splitlines()]


def calls(folder: Path) -> Sequence[Called]:
    """The recorder's log, in the order in which the calls were sent."""
    decoder = msgspec.json.Decoder(Called)
    found = [decoder.decode(line) for line in (folder / RECORDER_LOG).read_bytes().splitlines()]
    return sorted(found, key=lambda call: call.order)
