"""What can happen to finished executions that are kept no longer at hand; one stream holds all of it."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from dirigent.domain.event_base import Event

ARCHIVES = "dirigent:archives"


class ArchivedStream(msgspec.Struct, frozen=True, kw_only=True):
    """One stream that went into an archive file, and what stays of it in the journal.

    `digest` is that of its last event, at `version`; `rows` is SHA-256 over position, version and digest of
    every event, in their order. Both are hexadecimal.
    """

    name: str
    version: int
    digest: str
    rows: str


class ExecutionsArchived(Event, frozen=True, kw_only=True, tag=True):
    """Finished executions were written to an archive file; what their events say is kept nowhere else.

    `file` is its name in the folder of archives, `sha256` that of its bytes as they are without a key.
    """

    file: str
    sha256: str
    actor: str
    streams: tuple[ArchivedStream, ...]


class ExecutionsRestored(Event, frozen=True, kw_only=True, tag=True):
    """Executions were read back from an archive file; their events say again what they said."""

    file: str
    actor: str
    streams: tuple[str, ...]


def archived_by(events: Iterable[Event]) -> dict[str, tuple[ExecutionsArchived, ArchivedStream]]:
    """The streams that are in an archive and not at hand, by name, each with the event that says so."""
    found: dict[str, tuple[ExecutionsArchived, ArchivedStream]] = {}
    for event in events:
        if isinstance(event, ExecutionsArchived):
            found |= {stream.name: (event, stream) for stream in event.streams}
        elif isinstance(event, ExecutionsRestored):
            for name in event.streams:
                found.pop(name, None)
    return found
