"""How events stand in a data folder: what comes in, who has dealt with it, what was given up."""

from __future__ import annotations

from contextlib import closing

import msgspec

from dirigent.bootstrap.beside import need_journal
from dirigent.bootstrap.keys import folder_key
from dirigent.domain.event import ConsumerAdvanced
from dirigent.intake.events.consumers import CONSUMERS, DEAD_LETTERS, DeadLetter, still_dead
from dirigent.ports import EventIndex
from dirigent.runtimes.clock import SystemClock
from dirigent.settings import Settings
from dirigent.storage.sqlite.database import DATABASE
from dirigent.storage.sqlite.event_index import SqliteEventIndex
from dirigent.storage.sqlite.reading import Reader

COUNTED_MAX = 10_000
MINUTE_MS = 60_000


class Following(msgspec.Struct, frozen=True, kw_only=True):
    """A follower of the events: all up to `position` was dealt with, `lag` events were not.

    `lag` and rates count up to `COUNTED_MAX`.
    """

    name: str
    position: int
    lag: int
    dead: tuple[DeadLetter, ...] = ()


class Pipeline(msgspec.Struct, frozen=True, kw_only=True):
    """How events stand; `newest` is the position of the last one, 0 where there is none."""

    newest: int
    newest_at: int
    last_minute: int
    followers: tuple[Following, ...]


def pipeline(settings: Settings) -> Pipeline:
    """Look at the events of a folder beside whoever works in it; raises `NotFound` where there is none."""
    folder = settings.data_folder
    need_journal(folder)
    key = folder_key(settings)
    with closing(Reader(folder / DATABASE, key)) as reader, closing(SqliteEventIndex(folder, key)) as index:
        names = {stream.partition("/")[2] for stream in reader.streams(CONSUMERS)}
        names |= {stream.partition("/")[2] for stream in reader.streams(DEAD_LETTERS)}
        followers = tuple(_following(name, reader, index) for name in sorted(names))
        latest = index.events(newest=True, limit=COUNTED_MAX)
    since = SystemClock().now_ms() - MINUTE_MS
    return Pipeline(
        newest=latest[0].position if latest else 0,
        newest_at=latest[0].event.at if latest else 0,
        last_minute=sum(one.event.at >= since for one in latest),
        followers=followers,
    )


def _following(name: str, reader: Reader, index: EventIndex) -> Following:
    stream = f"{CONSUMERS}/{name}"
    head = reader.head(stream)
    last = reader.events(stream, head.version - 1)[-1] if head is not None else None
    position = last.position if isinstance(last, ConsumerAdvanced) else 0
    return Following(
        name=name,
        position=position,
        lag=len(index.events(after=position, limit=COUNTED_MAX)),
        dead=tuple(still_dead(reader.events(f"{DEAD_LETTERS}/{name}", 0))),
    )
