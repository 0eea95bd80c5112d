"""One workflow alone on an idle engine: from handing it in to holding its result."""

from __future__ import annotations

from benchmarks.ceiling import bare_alone_ms
from benchmarks.figures import Figure, median
from benchmarks.lanes import one_by_one
from benchmarks.setting import Setting
from benchmarks.targets import ALONE_MS
from benchmarks.work import Bench, chain, completed
from dirigent import Dirigent

RUNS = 200
LENGTHS = (1, 5)


async def measure(setting: Setting) -> list[Figure]:
    """The bare loop and the engine in turn, for each length."""
    limits: dict[int, list[float]] = {steps: [] for steps in LENGTHS}
    times: dict[int, list[float]] = {steps: [] for steps in LENGTHS}
    async with Dirigent(setting.place("alone"), agents=[Bench()]) as dirigent:
        for number in range(setting.rounds):
            place = setting.place(f"alone-limit-{number}")
            for steps in LENGTHS:
                limits[steps].append(await bare_alone_ms(place / f"{steps}.db", steps))
                times[steps].append(median(await _alone(dirigent, steps)))
    return [
        Figure(
            name=f"one run alone, {steps} pure step{'s' * (steps > 1)}, p50",
            value=median(times[steps]),
            unit="ms",
            target=ALONE_MS[steps],
            at_most=True,
            limit=median(limits[steps]),
            note="handed in until its result is there",
        )
        for steps in LENGTHS
    ]


async def _alone(dirigent: Dirigent, steps: int) -> list[float]:
    definition = chain(steps)

    async def one() -> None:
        completed(await dirigent.run(definition))

    return await one_by_one(RUNS, one)
