"""What was seen of a run from outside: by those who asked the engine, and by those it acted upon.

Both logs are kept outside the engine and survive its crashes. `order` is one count over both of them: a
counter in the simulator, `time.monotonic_ns()` where processes are killed on one machine. Logs are files of
one JSON value a line (`write_log`, `read_log`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from hashlib import blake2b

import msgspec

from dirigent.domain.event import Event

ACKNOWLEDGED, REFUSED, UNKNOWN = "acknowledged", "refused", "unknown"


class Entry(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="type"):
    """Base of everything that is logged."""

    order: int


class Opened(Entry, frozen=True, kw_only=True, tag=True):
    """The engine was ready for requests. A session is one life of its process."""

    session: str


class Ended(Entry, frozen=True, kw_only=True, tag=True):
    """A session came to its end: `how` is closed (in an orderly way) or crashed."""

    session: str
    how: str
    took_ms: int = 0


class StorageFailed(Entry, frozen=True, kw_only=True, tag=True):
    """The store refused a write in this session; nothing that was not durable is acknowledged any more.

    `durable` is the journal's last durable position at that moment, where it is known.
    """

    session: str
    durable: int | None = None


class Answered(Entry, frozen=True, kw_only=True, tag=True):
    """A request and what came of it.

    `request` is start, approve, reject, cancel, pause, resume, resolve, signal, fork or retry. `asked` is
    the order in which it was sent, `order` that of the answer. `result` is acknowledged, refused (with the
    error's `code`) or unknown (no answer came). `subject` is the approval, the signal's id or the step: of
    a fork the step or the version that it was forked at, if any. `body` is what was handed in, by hash,
    `made` the execution that came of it under an id of its own. `given` is the order in which the engine
    gave the answer, where known.
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
    made: str = ""
    given: int | None = None


class Told(Entry, frozen=True, kw_only=True, tag=True):
    """An observer was told of an event as durable. `digest` is its `fingerprint`."""

    session: str
    execution: str
    event: str
    digest: str


class Listed(Entry, frozen=True, kw_only=True, tag=True):
    """What a tenant was shown: the executions and approvals in its lists."""

    session: str
    tenant: str
    executions: tuple[str, ...] = ()
    approvals: tuple[str, ...] = ()


class Called(Entry, frozen=True, kw_only=True, tag=True):
    """One call that reached the outside, noted there.

    `step` is what the context said: a step, an item, or `<step>/<ordinal>` for a call of a running action.
    `payload` is the hash of agent, action and inputs, or empty where that was not to be seen. `applied` says
    that the call took effect, `absorbed` that the receiver knew its key and gave the stored answer. Where
    they are known: `sent` is the order in which the action made the call, `durable` the journal's last
    durable position at that moment.
    """

    tenant: str
    execution: str
    step: str
    attempt: int
    agent: str
    action: str
    effect: str
    key: str
    payload: str = ""
    applied: bool = True
    absorbed: bool = False
    sent: int | None = None
    durable: int | None = None


ClientEntry = Opened | Ended | StorageFailed | Answered | Told | Listed
_Line = ClientEntry | Called

_encoder = msgspec.json.Encoder()
_decoder: msgspec.json.Decoder[_Line] = msgspec.json.Decoder(_Line)


def fingerprint(event: Event) -> str:
    """A short hash of an event as the journal stores it."""
    return blake2b(_encoder.encode(event), digest_size=12).hexdigest()


def write_log(entries: Iterable[Entry]) -> bytes:
    """Entries as lines."""
    return b"".join(_encoder.encode(entry) + b"\n" for entry in entries)


def read_log(lines: bytes) -> Sequence[ClientEntry | Called]:
    """Entries from lines; a last line that was cut off by a kill is left out."""
    whole, _, _ = lines.rpartition(b"\n")
    return [_decoder.decode(line) for line in whole.splitlines() if line]
