"""What a scenario says: a workflow, what its agents answer, what people do, and what has to come of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

AGENT = "worker"
OK, TRANSIENT, REFUSED, BROKEN, HANGS = "ok", "transient", "refused", "broken", "hangs"
UNSAID = "unsaid"

Answer = Any  # `ok` with what is given, one of the words above, or a number: an answer after so many seconds


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """Something from outside, `at` seconds after the start. `refused` is the code of the error it meets."""

    at: float
    word: str
    about: str = ""
    actor: str = "ann"
    data: Any = None
    refused: str = ""


class Scenario(msgspec.Struct, frozen=True, kw_only=True):
    """One case that every runtime has to play in the same way.

    `answers` are what the action of a step does at its calls, in turn; the last one goes for all that follow,
    and a step without any gives `{"ok": true}`. `told` is in the order of time. After `lasts` seconds the
    execution has to stand as said: its `status`, the statuses of `steps`, its `output` and the `code` of its
    error where they are said; how often actions were called; and in the order of its events `order` (names
    as `StepStarted a`), with none of `never`. `starts_refused` is the code with which it is not accepted.
    """

    name: str
    workflow: dict[str, Any]
    library: tuple[dict[str, Any], ...] = ()
    given: dict[str, Any] = {}
    autonomy: str = "L3"
    budget: float | None = None
    answers: Mapping[str, tuple[Answer, ...]] = {}
    told: tuple[Told, ...] = ()
    lasts: float = 60.0
    status: str = "completed"
    steps: Mapping[str, str] = {}
    output: Any = UNSAID
    code: str = ""
    calls: Mapping[str, int] = {}
    order: tuple[str, ...] = ()
    never: tuple[str, ...] = ()
    starts_refused: str = ""

    @property
    def takes_time(self) -> bool:
        """Whether actions may be under way for a while; a restart then begins them anew, or leaves them."""
        answers = [answer for each in self.answers.values() for answer in each]
        return any(answer == HANGS or isinstance(answer, int | float) for answer in answers)


def work(id: str, action: str = "look", **keys: Any) -> dict[str, Any]:
    """A step that acts: `think` is pure, `look` reads, `send` is keyed, `book` looked up, `fire` neither."""
    return {"id": id, "type": "agent", "agent_type": AGENT, "action": action, "timeout": "10s", **keys}


def step(id: str, type: str, **keys: Any) -> dict[str, Any]:
    """A step of another type."""
    return {"id": id, "type": type, **keys}


def retried(attempts: int, initial: str = "1s", factor: float = 2.0) -> dict[str, Any]:
    """A policy without chance in it."""
    return {"max_attempts": attempts, "initial": initial, "backoff_factor": factor, "jitter": 0}


def flow(*steps: dict[str, Any], edges: tuple[str, ...] = (), **keys: Any) -> dict[str, Any]:
    """A workflow as data; an edge is `a > b`, or `a > b on error`, or `a > b if n > 1`."""
    written = {"name": "case", "type": "hybrid" if edges else "sequential", "steps": list(steps), **keys}
    return written | ({"connections": [_edge(edge) for edge in edges]} if edges else {})


def told(at: float, word: str, about: str = "", **more: Any) -> Told:
    """Something from outside."""
    return Told(at=at, word=word, about=about, **more)


def _edge(edge: str) -> dict[str, Any]:
    ways, _, condition = edge.partition(" if ")
    ways, _, on = ways.partition(" on ")
    source, _, target = ways.partition(" > ")
    way: dict[str, Any] = {"from": source.strip(), "to": target.strip()}
    return way | ({"on": on} if on else {}) | ({"condition": condition} if condition else {})
