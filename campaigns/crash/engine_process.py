"""The engine under test: the real `Dirigent` in a process of its own, asked over a socket, made to be killed.

Usage: python -m campaigns.crash.engine_process FOLDER SOCKET RECORDER SESSION [--die POINT:HIT] [--hasty]
"""

from __future__ import annotations

import argparse
import asyncio
import os
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, BinaryIO

from campaigns.crash.evidence import TOLD_LOG, as_line
from campaigns.crash.lines import Message, serve
from campaigns.crash.outside import Outside, Unwell
from campaigns.crash.points import Points, pointed
from campaigns.crash.workload import SIGNAL
from dirigent.bootstrap.system import Dirigent
from dirigent.domain.errors import DirigentError
from dirigent.domain.event import Event
from dirigent.engine import Start
from dirigent.interpreter.loading import definition_from
from dirigent.testing.invariants import Told, fingerprint

Deed = Callable[[Message], Awaitable[Message]]


class Desk:
    """Takes requests to the engine; an answer is given when the engine has acknowledged."""

    def __init__(self, dirigent: Dirigent, points: Points, session: str) -> None:
        self._engine = dirigent.engine
        self._session = session
        self._reached = points.reached
        self._deeds: dict[str, Deed] = {
            "start": self._start,
            "approve": self._approve,
            "reject": self._reject,
            "cancel": self._cancel,
            "pause": self._pause,
            "resume": self._resume,
            "resolve": self._resolve,
            "signal": self._signal,
            "list": self._list,
            "rest": self._rest,
        }

    async def answer(self, request: Message) -> Message:
        """Do what is asked; a refusal is an answer too."""
        name = request["do"]
        self._reached(f"{name}.received")
        try:
            told = await self._deeds[name](request)
        except DirigentError as error:
            told = {"error": error.code, "message": str(error)}
        self._reached(f"{name}.before_reply")
        return {**told, "session": self._session, "given": time.monotonic_ns()}

    async def _start(self, request: Message) -> Message:
        await self._engine.start(
            Start(
                definition=definition_from(request["definition"]),
                tenant=request["tenant"],
                actor=request["actor"],
                input=request["input"],
                budget=request["budget"],
                execution_id=request["execution"],
            )
        )
        return {}

    async def _approve(self, request: Message) -> Message:
        await self._engine.approve(request["subject"], request["actor"])
        return {}

    async def _reject(self, request: Message) -> Message:
        await self._engine.reject(request["subject"], request["actor"])
        return {}

    async def _cancel(self, request: Message) -> Message:
        await self._engine.cancel(request["execution"], request["actor"])
        return {}

    async def _pause(self, request: Message) -> Message:
        await self._engine.pause(request["execution"], request["actor"])
        return {}

    async def _resume(self, request: Message) -> Message:
        await self._engine.resume(request["execution"], request["actor"])
        return {}

    async def _resolve(self, request: Message) -> Message:
        await self._engine.resolve(
            request["execution"],
            request["subject"],
            happened=request["happened"],
            actor=request["actor"],
            output=request["output"],
        )
        return {}

    async def _signal(self, request: Message) -> Message:
        await self._engine.signal(
            request["execution"],
            SIGNAL,
            {"by": "client"},
            signal_id=request["subject"],
            sender=request["actor"],
        )
        return {}

    async def _list(self, request: Message) -> Message:
        rows = self._engine.executions(request["tenant"], parent=None)
        approvals = self._engine.approvals(request["tenant"])
        return {
            "executions": [row.execution_id for row in rows],
            "approvals": [row.execution_id for row in approvals],
        }

    async def _rest(self, request: Message) -> Message:
        """Wait until it has ended or only a person can go on; what a person has to do, children included."""
        execution = request["execution"]
        reading = await self._engine.rest(execution)
        family = [reading, *(self._engine.read(row.execution_id) for row in self._engine.children(execution))]
        return {
            "status": reading.status,
            "ended": bool(reading.ended_at),
            "approvals": [row.approval_id for row in self._engine.approvals(execution=execution)],
            "unknown": [
                (member.execution_id, step.id)
                for member in family
                for step in member.steps.values()
                if step.status == "outcome_unknown" and not member.ended_at
            ],
        }


class Listener:
    """Notes what observers are told, at once and outside the data folder."""

    def __init__(self, log: BinaryIO, session: str) -> None:
        self._log = log
        self._session = session

    def __call__(self, execution: str, event: Event) -> None:
        told = Told(
            order=time.monotonic_ns(),
            session=self._session,
            execution=execution,
            event=type(event).__name__,
            digest=fingerprint(event),
        )
        self._log.write(as_line(told))


async def work(given: argparse.Namespace, points: Points) -> None:
    """Open the data folder, say how long that took, and answer until killed or let go."""
    outside = Outside(given.recorder, given.session, points.reached, hasty=given.hasty)
    dirigent = pointed(points)(given.folder, agents=[outside, Unwell], clock=points.clock())
    outside.durable = lambda: dirigent.journal.durable
    began = time.monotonic()
    points.reached("recovery.begins")
    with Path(TOLD_LOG).open("ab", buffering=0) as log:
        async with dirigent:
            points.reached("recovery.ends")
            dirigent.observe(Listener(log, given.session))
            async with await serve(given.socket, Desk(dirigent, points, given.session).answer):
                now = time.monotonic()
                print(f"ready {now - given.started:.3f} {now - began:.3f}", flush=True)
                await asyncio.to_thread(os.read, 0, 1)  # until the campaign lets go of our standard input


def main() -> None:
    """Read the arguments and work."""
    parser = argparse.ArgumentParser()
    for name in ("folder", "socket", "recorder"):
        parser.add_argument(name, type=Path)
    parser.add_argument("session")
    parser.add_argument("--die", action="append", default=[], metavar="POINT:HIT")
    parser.add_argument("--hasty", action="store_true")
    parser.add_argument("--started", type=float, default=time.monotonic())
    given: Any = parser.parse_args()
    asyncio.run(work(given, Points(given.die)))


if __name__ == "__main__":
    main()
