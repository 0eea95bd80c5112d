"""Steps a second: runs of five steps, a hundred in flight; pure ones, and keyed effects."""

from __future__ import annotations

from pathlib import Path

from benchmarks.ceiling import IN_FLIGHT, STEPS, bare_steps_per_second
from benchmarks.figures import Figure, median
from benchmarks.lanes import keep_in_flight
from benchmarks.setting import Setting
from benchmarks.targets import RUNS_A_MINUTE, TIMES_KEYED, TIMES_PURE, rate
from benchmarks.work import Bench, chain, completed
from dirigent import Dirigent

RUNS = 1000
RUNS_OF_THE_LIMIT = 2500
NOTE = f"{STEPS} steps a run, {IN_FLIGHT} runs in flight"


async def measure(setting: Setting) -> list[Figure]:
    """Limit, pure and keyed in turn in every round."""
    limits, pure, keyed, gathered = [], [], [], []
    for number in range(setting.rounds):
        place = setting.place(f"steps-{number}")
        limits.append(await bare_steps_per_second(place / "limit.db", RUNS_OF_THE_LIMIT))
        reached, per_commit = await steps_per_second(place / "pure", "nothing")
        pure.append(reached)
        gathered.append(per_commit)
        keyed.append((await steps_per_second(place / "keyed", "put"))[0])
    limit = median(limits)
    return [
        Figure(name="bare loop, the limit", value=limit, unit="steps/s", note=NOTE),
        Figure(
            name="pure steps",
            value=median(pure),
            unit="steps/s",
            target=rate(TIMES_PURE, limit, setting.loop),
            limit=limit,
            note=NOTE,
        ),
        Figure(
            name="keyed effects",
            value=median(keyed),
            unit="steps/s",
            target=rate(TIMES_KEYED, limit, setting.loop),
            limit=limit,
            note="intent durable before, outcome after",
        ),
        Figure(
            name="runs a minute",
            value=median(pure) / STEPS * 60,
            unit="",
            target=RUNS_A_MINUTE,
            note=f"of {STEPS} pure steps",
        ),
        Figure(name="events a commit", value=median(gathered), unit="", note="one flush each"),
    ]


async def steps_per_second(folder: Path, act: str, runs: int = RUNS) -> tuple[float, float]:
    """Steps a second over a fresh store, and how many events went out together."""
    definition = chain(STEPS, act)
    async with Dirigent(folder, agents=[Bench()]) as dirigent:

        async def one() -> None:
            completed(await dirigent.run(definition))

        await keep_in_flight(IN_FLIGHT, IN_FLIGHT, one)
        commits, events = dirigent.journal.commits, dirigent.journal.durable
        seconds = await keep_in_flight(runs, IN_FLIGHT, one)
        per_commit = (dirigent.journal.durable - events) / max(1, dirigent.journal.commits - commits)
        return runs * STEPS / seconds, per_commit
