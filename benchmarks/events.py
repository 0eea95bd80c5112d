"""Events a second: durable and matched against a thousand triggers, in batches and one at a time."""

from __future__ import annotations

import itertools
from pathlib import Path

from benchmarks.figures import Figure, median
from benchmarks.lanes import keep_in_flight
from benchmarks.limit import BareLoop
from benchmarks.setting import Setting
from benchmarks.targets import EVENTS_IN_BATCHES, EVENTS_ONE_BY_ONE
from dirigent import Dirigent
from dirigent.domain.domain_event import DomainEvent
from dirigent.domain.trigger import EventTrigger
from dirigent.domain.workflow import Definition, Kind, Step
from dirigent.intake.events.log import STREAM_PREFIX

TRIGGERS = 1000
PATTERNS = 100
BATCH = 500
BATCHES_AT_ONCE = 8
CALLERS = 64
IN_BATCHES = 60_000
ONE_BY_ONE = 20_000
FILTER = 'event.data.score > 0.9 && event.data.segment == "vip"'
NOTE = f"{TRIGGERS:,} triggers ({PATTERNS} by pattern), two filters asked for each event, durable"


async def measure(setting: Setting) -> list[Figure]:
    """Limit and ours in turn in every round, over fresh stores."""
    bare_batches, bare_single, batches, single = [], [], [], []
    for number in range(setting.rounds):
        place = setting.place(f"events-{number}")
        bare_batches.append(await _bare(place / "limit-batches.db", IN_BATCHES, BATCH, BATCHES_AT_ONCE))
        bare_single.append(await _bare(place / "limit-single.db", ONE_BY_ONE, 1, CALLERS))
        reached = await _ours(place / "ours")
        batches.append(reached[0])
        single.append(reached[1])
    return [
        Figure(
            name=f"events in batches of {BATCH}",
            value=median(batches),
            unit="events/s",
            target=EVENTS_IN_BATCHES,
            limit=median(bare_batches),
            note=NOTE,
        ),
        Figure(
            name=f"events one at a time, {CALLERS} callers",
            value=median(single),
            unit="events/s",
            target=EVENTS_ONE_BY_ONE,
            limit=median(bare_single),
            note="each caller waits until its event is durable and matched",
        ),
    ]


def event(number: int) -> DomainEvent:
    """One of many events; its type is one of those that triggers ask for."""
    kind = number % (TRIGGERS - PATTERNS)
    return DomainEvent(
        id=f"evt-{number}",
        source="shop",
        type=f"area{kind % PATTERNS}.kind{kind}",
        tenant="default",
        subject=f"customer/{number % 5000}",
        data={"order": number, "score": 0.5, "segment": "new", "note": "as large as events of this kind are"},
    )


def watchers() -> list[Definition]:
    """Workflows whose triggers take in every type, and whose filters let nothing through."""
    types = [f"area{kind % PATTERNS}.kind{kind}" for kind in range(TRIGGERS - PATTERNS)]
    types += [f"area{number}.*" for number in range(PATTERNS)]
    step = Step(id="s", kind=Kind.TRANSFORM)
    return [
        Definition(name=f"w{number}", steps=(step,), triggers=(EventTrigger(event_type=name, filter=FILTER),))
        for number, name in enumerate(types)
    ]


async def _ours(folder: Path) -> tuple[float, float]:
    async with Dirigent(folder, workflows=watchers()) as dirigent:
        assert len(dirigent.triggers.table) == TRIGGERS
        numbers = itertools.count()
        prepared = iter([[event(next(numbers)) for _ in range(BATCH)] for _ in range(IN_BATCHES // BATCH)])

        async def batch() -> None:
            await dirigent.triggers.publish_all(next(prepared))

        async def one() -> None:
            await dirigent.triggers.publish(event(next(numbers)))

        seconds = await keep_in_flight(IN_BATCHES // BATCH, BATCHES_AT_ONCE, batch)
        alone = await keep_in_flight(ONE_BY_ONE, CALLERS, one)
        assert dirigent.journal.head(f"{STREAM_PREFIX}default") == IN_BATCHES + ONE_BY_ONE
        assert not dirigent.engine.executions()
        return IN_BATCHES / seconds, ONE_BY_ONE / alone


async def _bare(file: Path, events: int, together: int, callers: int) -> float:
    """The same events encoded and committed in groups, and nothing else."""
    numbers = itertools.count()
    with BareLoop(file) as bare:
        seconds = await keep_in_flight(
            events // together, callers, lambda: bare.put([event(next(numbers)) for _ in range(together)])
        )
    return events / seconds
