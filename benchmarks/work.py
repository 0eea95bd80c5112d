"""The work that is measured: agents that do next to nothing, and definitions made of them."""

from __future__ import annotations

import asyncio
import itertools
import time

from dirigent import Context, Dirigent, Effect, Risk, action, agent
from dirigent.domain.workflow import Connection, Definition, FlowType, Kind, Step
from dirigent.interpreter.reading import Reading

ALL_AT_ONCE = 1_000_000
ITEMS_MAX = 10_000
SIGNAL = "bench.go"
DAY_MS = 24 * 3600 * 1000
POLL_S = 0.02
ROUND_STEPS = 10


@agent("bench", domain="benchmark", max_concurrency=ALL_AT_ONCE)
class Bench:
    """Does nothing, quickly. One receiver per object; it honours keys.

    `marks` holds, for every call of `mark`, when it came and what it was handed; both in seconds of the
    monotonic clock. `held` counts the calls that `hold` keeps.
    """

    def __init__(self) -> None:
        self.received: dict[str, int] = {}
        self.marks: list[tuple[float, float]] = []
        self.held = 0

    @action(risk=Risk.R0, effect=Effect.PURE)
    async def nothing(self, n: int = 0) -> int:
        """Give back the number plus one."""
        return n + 1

    @action(risk=Risk.R1, effect=Effect.KEYED)
    async def put(self, ctx: Context, n: int = 0) -> int:
        """Take a number in once per key."""
        return self.received.setdefault(ctx.key, n)

    @action(risk=Risk.R0, effect=Effect.PURE)
    async def mark(self, since: float = 0.0, n: int = 0) -> int:
        """Note when the call came."""
        self.marks.append((time.perf_counter(), since))
        return n

    @action(risk=Risk.R1, effect=Effect.KEYED)
    async def put_and_mark(self, ctx: Context, n: int = 0) -> int:
        """Take a number in once per key, and note when."""
        self.marks.append((time.perf_counter(), 0.0))
        return self.received.setdefault(ctx.key, n)

    @action(risk=Risk.R0, effect=Effect.PURE)
    async def hold(self) -> None:
        """Never come back."""
        self.held += 1
        await asyncio.Event().wait()

    def gaps_ms(self) -> list[float]:
        """From each mark to the next, in milliseconds; forgets the marks."""
        times = [at for at, _ in self.marks]
        self.marks.clear()
        return [(later - earlier) * 1000 for earlier, later in itertools.pairwise(times)]


def chain(steps: int, act: str = "nothing") -> Definition:
    """Steps one after the other."""
    return Definition(
        name=f"{act}_chain_{steps}",
        type=FlowType.SEQUENTIAL,
        steps=tuple(_step(f"s{number}", act, number) for number in range(steps)),
    )


def timed(steps: int) -> Definition:
    """As `chain`, but the first step marks when it came; the input is `{"since": time.perf_counter()}`."""
    first = Step(
        id="first", kind=Kind.AGENT, agent="bench", action="mark", parameters={"since": "${input.since}"}
    )
    rest = (_step(f"s{number}", "nothing", number) for number in range(1, steps))
    return Definition(name=f"timed_{steps}", type=FlowType.SEQUENTIAL, steps=(first, *rest))


def fan(steps: int) -> Definition:
    """Items of `foreach` steps all at once, and a step that waits for all of them.

    A `foreach` takes at most ten thousand items; more are spread over several that run side by side. The
    input is `{"items": items_of(steps)}`.
    """
    fans = tuple(
        Step(
            id=f"items{number}",
            kind=Kind.AGENT,
            agent="bench",
            action="nothing",
            parameters={"n": "${item}"},
            foreach="${input.items}",
            max_parallel=ALL_AT_ONCE,
        )
        for number in range(max(1, steps // ITEMS_MAX))
    )
    return _joined(f"fan_{steps}", fans)


def items_of(steps: int) -> list[int]:
    """What each `foreach` of `fan(steps)` goes over."""
    return list(range(min(steps, ITEMS_MAX)))


def wide(steps: int) -> Definition:
    """As many written steps side by side, and one that waits for all of them."""
    return _joined(f"wide_{steps}", tuple(_step(f"s{number}", "nothing", number) for number in range(steps)))


def parked(name: str, wait_ms: int) -> Definition:
    """A wait, and a step behind it."""
    wait = Step(id="wait", kind=Kind.WAIT, wait_ms=wait_ms)
    return Definition(name=name, type=FlowType.SEQUENTIAL, steps=(wait, _step("after", "nothing", 0)))


def told() -> Definition:
    """A wait for the signal `SIGNAL`, and a step behind it."""
    wait = Step(id="wait", kind=Kind.WAIT_FOR_EVENT, event=SIGNAL)
    return Definition(name="told", type=FlowType.SEQUENTIAL, steps=(wait, _step("after", "nothing", 0)))


def rounds_and_told(events: int) -> Definition:
    """A loop of at least so many events, a wait for the signal `SIGNAL`, and a step behind it."""
    inside = tuple(_step(f"s{number}", "nothing", number) for number in range(ROUND_STEPS))
    again = Step(
        id="again",
        kind=Kind.LOOP,
        max_iterations=-(-events // (2 * ROUND_STEPS)),
        steps=inside,
    )
    wait = Step(id="wait", kind=Kind.WAIT_FOR_EVENT, event=SIGNAL)
    steps = (again, wait, _step("after", "nothing", 0))
    return Definition(name=f"rounds_{events}", type=FlowType.SEQUENTIAL, steps=steps)


def held_after(steps: int) -> Definition:
    """Steps one after the other, and then one that never ends."""
    last = Step(id="hold", kind=Kind.AGENT, agent="bench", action="hold")
    return Definition(
        name=f"held_after_{steps}",
        type=FlowType.SEQUENTIAL,
        steps=(*(_step(f"s{number}", "nothing", number) for number in range(steps)), last),
    )


async def begun(dirigent: Dirigent) -> None:
    """Return when no execution waits for its turn to begin any more."""
    while dirigent.engine.executions(statuses=("pending",), limit=1):
        await asyncio.sleep(POLL_S)


def completed(reading: Reading) -> None:
    """Make sure that what was timed has really happened."""
    if reading.status != "completed":
        raise AssertionError(f"{reading.started.workflow} ended as {reading.status}")


def _step(name: str, act: str, number: int) -> Step:
    return Step(id=name, kind=Kind.AGENT, agent="bench", action=act, parameters={"n": number})


def _joined(name: str, steps: tuple[Step, ...]) -> Definition:
    return Definition(
        name=name,
        type=FlowType.HYBRID,
        steps=(*steps, _step("join", "nothing", 0)),
        connections=tuple(Connection(source=step.id, target="join") for step in steps),
    )
