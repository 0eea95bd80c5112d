"""Publishing: what happens to executions and in the business goes out on a stream, in order, once."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Mapping
from typing import Any

import msgspec
import structlog

from dirigent.domain.canonical import plain
from dirigent.domain.errors import DirigentError
from dirigent.domain.event import (
    ApprovalDecided,
    ApprovalRequested,
    Event,
    EventPublished,
    ExecutionAdmitted,
    ExecutionCancelled,
    ExecutionCompleted,
    ExecutionFailed,
    ExecutionPaused,
    ExecutionResumed,
    ExecutionStarted,
    StepCompleted,
    StepFailed,
    StepSkipped,
    StepStarted,
)
from dirigent.domain.moments import iso
from dirigent.intake.events.log import EventLog
from dirigent.intake.events.telling import as_cloud_event
from dirigent.ports import Clock, EventStream, Journal, Recorded, StreamMessage

PAGE_EVENTS = 1000
PAGES_AT_THE_END = 10
BACKOFF_MS = 1000
BACKOFF_MS_MAX = 60_000
EXECUTIONS, EVENTS = "executions", "events"

# What goes out of an execution: its name outside, and which fields. Inputs and outputs stay in the house.
TOLD: Mapping[type[Event], tuple[str, tuple[str, ...]]] = {
    ExecutionStarted: ("accepted", ("workflow", "trigger", "parent")),
    ExecutionAdmitted: ("admitted", ()),
    ExecutionPaused: ("paused", ("actor", "reason")),
    ExecutionResumed: ("resumed", ("actor",)),
    StepStarted: ("step_started", ("step", "attempt")),
    StepCompleted: ("step_completed", ("step", "attempt")),
    StepFailed: ("step_failed", ("step", "attempt", "error")),
    StepSkipped: ("step_skipped", ("step", "reason")),
    ApprovalRequested: ("approval_requested", ("step", "approval_id", "kind", "reason", "expires_at")),
    ApprovalDecided: ("approval_decided", ("step", "approval_id", "decision")),
    ExecutionCompleted: ("completed", ("status",)),
    ExecutionFailed: ("failed", ("status", "error")),
    ExecutionCancelled: ("cancelled", ("reason",)),
}

log = structlog.get_logger("dirigent.publisher")


class EventPublisher:
    """Sends every durable event that others may know of, in the order of the journal.

    The stream itself knows how far it came, so that neither a crash nor a restart sends anything twice or
    leaves anything out. While the stream takes nothing, nothing is lost: it is tried again, the wait
    doubling, and everything else goes on.
    """

    def __init__(
        self,
        journal: Journal,
        log: EventLog,
        stream: EventStream,
        clock: Clock,
        tenant_of: Callable[[str], str],
    ) -> None:
        self.failure = ""
        self.position = stream.position()
        self._journal = journal
        self._log = log
        self._stream = stream
        self._clock = clock
        self._tenant_of = tenant_of
        self._wake = asyncio.Event()
        self._sent = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._stop_following: Callable[[], None] = lambda: None

    async def start(self) -> None:
        """Begin with what was not sent before; `rouse` tells of more."""
        self._stop_following = self._log.follow(lambda _: self.rouse())
        self._task = asyncio.create_task(self._publish(), name="dirigent-publisher")
        self.rouse()

    async def close(self) -> None:
        """Send what has just happened, and stop; what is not sent by then is sent after the next start."""
        self._stop_following()
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
            with contextlib.suppress(DirigentError):
                for _ in range(PAGES_AT_THE_END):
                    if not await self._send_page():
                        break
        self._stream.close()

    def rouse(self) -> None:
        """There may be something to send."""
        self._wake.set()

    async def caught_up(self, position: int) -> None:
        """Return when an event that goes out, and all before it, was sent."""
        while self.position < position:
            self._sent.clear()
            await self._sent.wait()

    async def _publish(self) -> None:
        wait_ms = BACKOFF_MS
        while True:
            await self._wake.wait()
            self._wake.clear()
            try:
                while await self._send_page():
                    pass
            except DirigentError as error:
                self.failure = str(error)
                log.warning("publisher.failed", reason=self.failure)
                self._clock.call_at(self._clock.now_ms() + wait_ms, self.rouse)
                wait_ms = min(2 * wait_ms, BACKOFF_MS_MAX)
            else:
                self.failure, wait_ms = "", BACKOFF_MS

    async def _send_page(self) -> bool:
        """Send the next events; false where there are none."""
        page = self._journal.tail(self.position, PAGE_EVENTS)
        messages = [message for message in map(self._message, page) if message is not None]
        if messages:
            await self._send(messages)
        if page:
            self.position = page[-1].position
            self._sent.set()
        return bool(page)

    async def _send(self, messages: list[StreamMessage]) -> None:
        """Send in a thread; who breaks this off waits until the thread has let go of the stream."""
        sending = asyncio.ensure_future(asyncio.to_thread(self._stream.send, messages))
        try:
            await asyncio.shield(sending)
        except asyncio.CancelledError:
            await asyncio.wait({sending})
            raise

    def _message(self, recorded: Recorded) -> StreamMessage | None:
        event = recorded.event
        if isinstance(event, EventPublished):
            said = as_cloud_event(event.event)
            return self._as_message(recorded, EVENTS, event.event.subject or event.event.id, said)
        told = TOLD.get(type(event))
        if told is None:
            return None
        name, fields = told
        said = {
            "specversion": "1.0",
            "id": f"{recorded.stream}/{recorded.version}",
            "source": "dirigent",
            "type": f"execution.{name}",
            "subject": recorded.stream,
            "time": iso(event.at),
            "tenant": self._tenant_of(recorded.stream),
            "datacontenttype": "application/json",
            "data": {field: plain(getattr(event, field)) for field in fields},
        }
        return self._as_message(recorded, EXECUTIONS, recorded.stream, said)

    def _as_message(self, recorded: Recorded, topic: str, key: str, said: dict[str, Any]) -> StreamMessage:
        return StreamMessage(
            position=recorded.position,
            at=recorded.event.at,
            topic=topic,
            key=key,
            event=msgspec.Raw(msgspec.json.encode(said)),
        )
