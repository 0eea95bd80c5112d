"""Who may start and who waits, for triggers that do not let their executions overlap."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from dirigent.domain.domain_event import DomainEvent
from dirigent.domain.ids import fired_execution_id
from dirigent.domain.trigger import Overlap, ScheduleTrigger
from dirigent.intake.events.log import Taken
from dirigent.intake.time_zones import tzdata_version
from dirigent.intake.triggers.armed import Armed, event_scope

QUEUED_MAX = 1000
QUEUED_OF_SCHEDULE_MAX = 1

_SHOWN = ("id", "type", "source", "subject")

_Key = tuple[str, str]


@dataclass(frozen=True, kw_only=True, eq=False)
class Firing:
    """A trigger that fires: for what, and which execution is started by it.

    `given` is the input where a person gave one; `position` and `due` are 0 where a person fires it.
    """

    armed: Armed
    execution_id: str
    cause: str
    scope: Mapping[str, Any]
    event: DomainEvent | None = None
    position: int = 0
    due: int = 0
    given: dict[str, Any] | None = None
    labels: Mapping[str, Any] = field(default_factory=dict)

    @property
    def key(self) -> _Key:
        """The trigger's name."""
        return self.armed.tenant, self.armed.id


def firing_for_event(armed: Armed, taken: Taken) -> Firing:
    """What an event makes of a trigger; the same event gives the same execution."""
    event = taken.event
    named = f"{event.source}\x1f{event.id}"
    return Firing(
        armed=armed,
        execution_id=fired_execution_id(armed.tenant, armed.id, named),
        cause=event.id,
        scope=event_scope(event),
        event=event,
        position=taken.position,
        labels={"event": {name: value for name in _SHOWN if (value := getattr(event, name))}},
    )


def firing_for_time(armed: Armed, due: int) -> Firing:
    """What a time makes of a schedule; the same time gives the same execution."""
    assert isinstance(armed.trigger, ScheduleTrigger), "only these fire by time"
    name = armed.trigger.timezone
    at = datetime.fromtimestamp(due / 1000, UTC)
    cause = at.strftime("%Y-%m-%dT%H:%M:%SZ")
    local = at.astimezone(ZoneInfo(name)).isoformat()
    return Firing(
        armed=armed,
        execution_id=fired_execution_id(armed.tenant, armed.id, cause),
        cause=cause,
        scope={"schedule": {"at": cause, "local": local}},
        due=due,
        labels={"schedule": {"at": cause, "local": local, "timezone": name, "tzdata": tzdata_version()}},
    )


@dataclass(frozen=True)
class Turn:
    """What a firing may do: start (after those in `replaces` were cancelled), wait, or nothing."""

    decision: str
    reason: str = ""
    replaces: tuple[str, ...] = ()


START = Turn("start")


class Turns:
    """Keeps what runs and what waits, per trigger; only triggers with a rule against overlap are kept."""

    def __init__(self) -> None:
        self._running: dict[_Key, set[str]] = {}
        self._waiting: dict[_Key, deque[Firing]] = {}
        self._waiting_ids: set[str] = set()
        self._of: dict[str, _Key] = {}

    def decide(self, firing: Firing) -> Turn:
        """Whose turn it is; who may start counts as running from here on."""
        overlap, key = firing.armed.overlap, firing.key
        if overlap is Overlap.ALLOW:
            return START
        running = self._running.get(key, set())
        if not running and not self._waiting.get(key):
            self.runs(key, firing.execution_id)
            return START
        if overlap is Overlap.REPLACE:
            replaced = tuple(sorted(running))
            self.runs(key, firing.execution_id)
            return Turn("start", replaces=replaced)
        by_hand = not (firing.position or firing.due)
        if overlap is Overlap.SKIP or by_hand:
            return Turn("skipped", f"{next(iter(running), 'one that waits')} has not ended")
        return self._queue(firing)

    def runs(self, key: _Key, execution_id: str) -> None:
        """An execution of a trigger runs."""
        self._running.setdefault(key, set()).add(execution_id)
        self._of[execution_id] = key

    def waits(self, firing: Firing) -> None:
        """A firing waits for its turn; one that waits already is not queued again."""
        waiting = self._waiting.setdefault(firing.key, deque())
        if firing.execution_id not in self._waiting_ids:
            self._waiting_ids.add(firing.execution_id)
            waiting.append(firing)

    def forget(self, key: _Key) -> None:
        """Nothing waits for a trigger any more."""
        self._waiting_ids -= {firing.execution_id for firing in self._waiting.pop(key, ())}

    def ended(self, execution_id: str) -> Firing | None:
        """An execution has ended; the firing whose turn it is now, which counts as running."""
        key = self._of.pop(execution_id, None)
        if key is None:
            return None
        running = self._running[key]
        running.discard(execution_id)
        if not running:
            del self._running[key]
        return self.next_of(key)

    def next_of(self, key: _Key) -> Firing | None:
        """The firing that waits longest, if nothing runs; it counts as running from here on."""
        waiting = self._waiting.get(key)
        if not waiting or key in self._running:
            return None
        firing = waiting.popleft()
        self._waiting_ids.discard(firing.execution_id)
        if not waiting:
            del self._waiting[key]
        self.runs(key, firing.execution_id)
        return firing

    def _queue(self, firing: Firing) -> Turn:
        most = QUEUED_OF_SCHEDULE_MAX if firing.due else QUEUED_MAX
        waiting = len(self._waiting.get(firing.key, ()))
        if waiting >= most:
            return Turn("skipped", f"{waiting} of this trigger wait already")
        self.waits(firing)
        return Turn("queued")
