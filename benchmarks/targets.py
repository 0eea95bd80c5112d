"""What every figure has to reach, and where that comes from.

Rates are bound to the limit measured in the same run, so that a verdict does not change with the machine:
where the targets were set, LangGraph on SQLite did 691 steps a second and the bare loop did `BARE`.
"""

from __future__ import annotations

LANGGRAPH = 691.0
BARE = {"asyncio": 67_000.0, "uvloop": 96_000.0}

# Twenty times LangGraph's steps a second; eight times for keyed effects.
TIMES_PURE = 20
TIMES_KEYED = 8

# Promised are a thousand workflows a minute; the aim is six times that.
RUNS_A_MINUTE = 6000.0

# Half and a third of what LangGraph takes for one run alone, in milliseconds by number of steps.
ALONE_MS = {1: 2.6 / 2, 5: 6.1 / 3}

# Latencies that are promised, 95th percentiles in milliseconds.
CREATE_MS = 5.0
WITH_A_HUNDRED_IN_FLIGHT_MS = 25.0
STEP_MS = 5.0

# From an event on stable storage to whoever follows, a 95th percentile; 200 ms are promised.
SEEN_MS = 200.0

# What must not grow with what went before: at most a tenth more.
FLAT = 1.10

# What a step may cost more among five times as many: memory is farther away, nothing else.
GROWTH = 1.5

# Ten thousand steps at once in one execution, and their join.
FAN_S = 1.0

# Ten thousand parked: created, armed again after a crash, and what they take over the idle engine.
PARK_S = 2.0
ARM_S = 1.0
PARKED_MB = 80.0

# A hundred thousand that wait: resident over the idle engine, and from the start of the process to serving.
CROWD_MB = 300.0
CROWD_SERVING_S = 3.0

# A thousand at work with a hundred events each, all running again; 99th percentile.
RECOVERY_S = 5.0

# A hundred thousand events behind it, and a snapshot; in milliseconds.
LONG_TAKEN_UP_MS = 100.0

# What history may cost: a tenth.
AS_FAST = 0.9

# Promised are ten thousand events a second; the aims, with a thousand triggers.
EVENTS_IN_BATCHES = 30_000.0
EVENTS_ONE_BY_ONE = 10_000.0

# A checked plan for a typical goal, in milliseconds.
PLAN_MS = 5000.0


def rate(times: float, limit: float, loop: str) -> float:
    """So many times LangGraph's rate, on a machine whose bare loop does `limit` steps a second."""
    return times * LANGGRAPH / BARE[loop] * limit
