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

# A checked plan for a typical goal, in milliseconds.
PLAN_MS = 5000.0


def rate(times: float, limit: float, loop: str) -> float:
    """So many times LangGraph's rate, on a machine whose bare loop does `limit` steps a second."""
    return times * LANGGRAPH / BARE[loop] * limit
