"""A process to be killed: takes up what had not ended, starts what is missing, and says when all is done.

Usage: worker.py FOLDER SOCKET RUNS. Its agent reports every outward act to the recorder at SOCKET, which
lives in another process and is never killed.
"""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from dirigent import Context, Dirigent, Effect, Risk, action, agent
from dirigent.domain.workflow import Connection, Definition, FlowType, Kind, Retry, Step
from dirigent.engine import Start

ITEMS = 4


@agent("teller", domain="test")
class Teller:
    """Acts outside by telling the recorder."""

    socket = ""

    @action(risk=Risk.R1, effect=Effect.KEYED)
    async def once_by_key(self, what: str, ctx: Context) -> str:
        """An effect whose receiver honours the key."""
        return await _tell(f"keyed {ctx.key} {ctx.execution_id}/{ctx.step} {what}")

    @action(risk=Risk.R1, effect=Effect.AT_MOST_ONCE)
    async def never_twice(self, what: str, ctx: Context) -> str:
        """An effect that must not be repeated."""
        return await _tell(f"once {ctx.key} {ctx.execution_id}/{ctx.step} {what}")

    @action(risk=Risk.R0, effect=Effect.PURE)
    async def think(self, number: int, ctx: Context) -> int:
        """No effect."""
        return number * 2


async def _tell(line: str) -> str:
    reader, writer = await asyncio.open_unix_connection(Teller.socket)
    writer.write(line.encode() + b"\n")
    answer = await reader.readline()
    writer.close()
    return answer.decode().strip()


def workflow() -> Definition:
    """A bit of everything: items, both effect classes, a wait, a condition and a join."""

    def agent_step(name: str, act: str, **more: object) -> Step:
        values = {"retry": Retry(max_attempts=3, initial_ms=10), **more}
        return Step(id=name, kind=Kind.AGENT, agent="teller", action=act, **values)  # type: ignore[arg-type]

    steps = (
        agent_step("think", "think", parameters={"number": "${input.number}"}),
        agent_step("keyed", "once_by_key", foreach="${input.items}", parameters={"what": "${item}"}),
        agent_step("once", "never_twice", parameters={"what": "x"}),
        Step(id="pause", kind=Kind.WAIT, wait_ms=30),
        Step(id="fork", kind=Kind.CONDITION, conditions=("steps.think > 4",)),
        agent_step("last", "once_by_key", parameters={"what": "last"}),
        agent_step("other", "once_by_key", parameters={"what": "other"}),
    )
    ways = ("think>keyed", "think>once", "keyed>pause", "once>fork", "pause>fork", "fork>last")
    connections = [Connection(source=a, target=b) for a, b in (way.split(">") for way in ways)]
    connections.append(Connection(source="fork", target="other", on="false"))
    return Definition(name="all", type=FlowType.HYBRID, steps=steps, connections=tuple(connections))


async def main(folder: Path, socket: str, runs: int) -> None:
    Teller.socket = socket
    async with Dirigent(folder, agents=[Teller]) as dirigent:
        print("ready", flush=True)
        wanted = [f"run-{number:03}" for number in range(runs)]
        for number, name in enumerate(wanted):
            if dirigent.projections.execution(name) is None:
                given = {"number": number % 5, "items": [f"i{n}" for n in range(ITEMS)]}
                start = Start(definition=workflow(), tenant="t", actor="test", input=given, execution_id=name)
                await dirigent.engine.start(start)
        await asyncio.gather(*(_settled(dirigent, name) for name in wanted))
    print("done", flush=True)


async def _settled(dirigent: Dirigent, name: str) -> None:
    """Wait for the run; an effect of unknown outcome is settled by the person who looked: it happened."""
    while True:
        reading = await dirigent.engine.rest(name)
        unknown = [step for step in reading.steps.values() if step.status == "outcome_unknown"]
        if not unknown:
            return
        for step in unknown:
            await dirigent.engine.resolve(name, step.id, happened=True, actor="operator", output="seen")


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])))
