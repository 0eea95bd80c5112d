"""Keeping schedules: every time fires once, and what was missed follows a stated rule."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import takewhile

import structlog

from dirigent.domain.event import ScheduleAdvanced
from dirigent.domain.trigger import ScheduleTrigger
from dirigent.intake.schedules.times import Times, span_of, times_of
from dirigent.intake.triggers.armed import Armed
from dirigent.intake.triggers.firing import Firer
from dirigent.intake.triggers.turns import firing_for_time
from dirigent.ports import Clock, Journal

# A time that passed longer ago than this was missed; anything less is late and fires all the same.
LATE_MS_MAX = 60_000
MISSED_COUNTED_MAX = 1000

log = structlog.get_logger("dirigent.schedules")


@dataclass(eq=False)
class Kept:
    """A schedule at work: dealt with up to `through`; `due` comes next, and fires at `fires_at`."""

    armed: Armed
    times: Times
    catch_up: int
    jitter: int
    through: int
    due: int | None = None
    fires_at: int = 0

    @property
    def stream(self) -> str:
        """Where the journal says how far it came."""
        return f"schedules/{self.armed.tenant}/{self.armed.id}"

    def plan(self) -> None:
        """Find what comes next."""
        self.due = next(self.times.after(self.through), None)
        self.fires_at = self.fires_at_of(self.due) if self.due is not None else 0

    def fires_at_of(self, due: int) -> int:
        """When a time fires: with jitter somewhat later, the same on every machine."""
        if not self.jitter:
            return due
        named = f"{self.armed.tenant}\x1f{self.armed.id}\x1f{due}"
        chance = int.from_bytes(hashlib.sha256(named.encode()).digest()[:8])
        return due + chance % self.jitter

    def come(self, now: int) -> list[int]:
        """The times that have come and were not dealt with, in order; the last thousand of them."""
        passed = self.times.last(self.through, now, MISSED_COUNTED_MAX)
        return list(takewhile(lambda due: self.fires_at_of(due) <= now, passed))


class ScheduleKeeper:
    """Fires the schedules of one data folder by one timer.

    How far each came is in the journal: after a restart it goes on from there. A time fires under an
    execution id of its own, so that firing twice starts one execution.
    """

    def __init__(self, journal: Journal, firer: Firer, clock: Clock) -> None:
        self.failure: BaseException | None = None
        self._journal = journal
        self._firer = firer
        self._clock = clock
        self._kept: dict[tuple[str, str], Kept] = {}
        self._wake = asyncio.Event()
        self._idle = asyncio.Event()
        self._cancel_timer: Callable[[], None] = lambda: None
        self._task: asyncio.Task[None] | None = None

    def __iter__(self) -> Iterator[Kept]:
        return iter(list(self._kept.values()))

    async def start(self) -> None:
        """Begin to fire; what was missed meanwhile is dealt with first."""
        self._task = asyncio.create_task(self._keep(), name="dirigent-schedules")
        self._rouse()

    async def close(self) -> None:
        """Stop firing."""
        self._cancel_timer()
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    def put(self, armed: Armed) -> Kept:
        """Keep a schedule. One that was never kept before begins now: the past does not count."""
        assert isinstance(armed.trigger, ScheduleTrigger), "only these have times"
        trigger = armed.trigger
        kept = Kept(
            armed=armed,
            times=times_of(trigger),
            catch_up=int(trigger.catch_up),
            jitter=span_of(trigger.jitter) if trigger.jitter else 0,
            through=0,
        )
        kept.through = self._through(kept)
        self._kept[armed.tenant, armed.id] = kept
        kept.plan()
        self._rouse()
        return kept

    def remove(self, armed: Armed) -> None:
        """Keep a schedule no more."""
        self._kept.pop((armed.tenant, armed.id), None)

    def next_of(self, armed: Armed) -> int | None:
        """When a schedule fires next; None where it does not, or is no schedule."""
        kept = self._kept.get((armed.tenant, armed.id))
        return kept.fires_at if kept is not None and kept.due is not None else None

    async def rest(self) -> None:
        """Return when everything that has come was dealt with and the timer is set for what comes next."""
        await self._idle.wait()

    def _rouse(self) -> None:
        self._idle.clear()
        self._wake.set()

    async def _keep(self) -> None:
        try:
            while True:
                await self._wake.wait()
                self._wake.clear()
                now = self._clock.now_ms()
                due = [kept for kept in self._kept.values() if kept.due is not None and kept.fires_at <= now]
                await asyncio.gather(*(self._deal_with(kept, now) for kept in due))
                self._arm()
                if not self._wake.is_set():
                    self._idle.set()
        except asyncio.CancelledError:
            raise
        except Exception as error:
            log.exception("schedules.stopped")
            self.failure = error
            self._idle.set()

    async def _deal_with(self, kept: Kept, now: int) -> None:
        """Fire what has come, by the rule for what was missed."""
        come = kept.come(now)
        if come:
            is_on_time = now - kept.fires_at_of(come[-1]) <= LATE_MS_MAX
            missed, on_time = (come[:-1], come[-1:]) if is_on_time else (come, [])
            late = missed[-kept.catch_up :] if kept.catch_up else []
            left_out = len(missed) - len(late)
            if left_out:
                await self._leave_out(kept, missed[left_out - 1], left_out)
            fired = [*late, *on_time]
            for due in fired:
                await self._firer.fire([firing_for_time(kept.armed, due)])
            kept.through = come[-1]
            self._record(kept, fired[-1] if fired else 0, left_out)
        kept.plan()

    async def _leave_out(self, kept: Kept, due: int, count: int) -> None:
        """Put on record what is left out; what was started before a crash was not."""
        firing = firing_for_time(kept.armed, due)
        if not self._firer.decided([firing]):
            reason = f"{count} of its times passed while nobody was there"
            await self._firer.decide(firing, "skipped", reason, count=count)

    def _through(self, kept: Kept) -> int:
        """How far a schedule came; the time now where it was never kept before."""
        head = self._journal.head(kept.stream)
        if not head:
            kept.through = self._clock.now_ms()
            self._record(kept, 0, 0)
            return kept.through
        last = self._journal.read(kept.stream, head - 1)[-1]
        assert isinstance(last, ScheduleAdvanced), "nothing else is in this stream"
        return last.through

    def _record(self, kept: Kept, due: int, missed: int) -> None:
        event = ScheduleAdvanced(
            at=self._clock.now_ms(),
            tenant=kept.armed.tenant,
            trigger=kept.armed.id,
            through=kept.through,
            due=due,
            missed=missed,
        )
        _ = self._journal.append(kept.stream, self._journal.head(kept.stream), [event])

    def _arm(self) -> None:
        """One timer, for whatever comes first."""
        self._cancel_timer()
        self._cancel_timer = lambda: None
        coming = [kept.fires_at for kept in self._kept.values() if kept.due is not None]
        if coming:
            self._cancel_timer = self._clock.call_at(min(coming), self._rouse)
