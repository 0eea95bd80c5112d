"""The work that is measured: agents that do next to nothing, and definitions made of them."""

from __future__ import annotations

from dirigent import Context, Effect, Risk, action, agent
from dirigent.domain.workflow import Definition, FlowType, Kind, Step
from dirigent.interpreter.reading import Reading

ALL_AT_ONCE = 1_000_000


@agent("bench", domain="benchmark", max_concurrency=ALL_AT_ONCE)
class Bench:
    """Does nothing, quickly. One receiver per object; it honours keys."""

    def __init__(self) -> None:
        self.received: dict[str, int] = {}

    @action(risk=Risk.R0, effect=Effect.PURE)
    async def nothing(self, n: int = 0) -> int:
        """Give back the number plus one."""
        return n + 1

    @action(risk=Risk.R1, effect=Effect.KEYED)
    async def put(self, ctx: Context, n: int = 0) -> int:
        """Take a number in once per key."""
        return self.received.setdefault(ctx.key, n)


def chain(steps: int, act: str = "nothing") -> Definition:
    """Steps one after the other."""
    return Definition(
        name=f"{act}_chain_{steps}",
        type=FlowType.SEQUENTIAL,
        steps=tuple(_step(f"s{number}", act, number) for number in range(steps)),
    )


def fan(steps: int) -> Definition:
    """Steps all at once, and one that waits for all of them."""
    return Definition(
        name=f"fan_{steps}",
        type=FlowType.SEQUENTIAL,
        steps=(
            Step(
                id="items",
                kind=Kind.AGENT,
                agent="bench",
                action="nothing",
                parameters={"n": "${item}"},
                foreach="${input.items}",
                max_parallel=ALL_AT_ONCE,
            ),
            _step("join", "nothing", steps),
        ),
    )


def completed(reading: Reading) -> None:
    """Make sure that what was timed has really happened."""
    if reading.status != "completed":
        raise AssertionError(f"{reading.started.workflow} ended as {reading.status}")


def _step(name: str, act: str, number: int) -> Step:
    return Step(id=name, kind=Kind.AGENT, agent="bench", action=act, parameters={"n": number})
