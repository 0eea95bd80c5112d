"""The client: starts executions without end, interferes with them, and logs every answer before it goes on.

Usage: python -m campaigns.crash.client_process FOLDER SOCKET RECORDER SEED [--at-once N]

It also plays the person: it decides approvals and says what became of effects nobody knows about, after
asking the recorder. When its standard input is closed it starts nothing new, waits until everything has
ended, and says so.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import time
from itertools import count
from pathlib import Path
from typing import Any, BinaryIO

from campaigns.crash.evidence import CLIENT_LOG, as_line
from campaigns.crash.lines import BROKEN, ConnectionLost, Line, Message
from campaigns.crash.outside import look
from campaigns.crash.workload import Plan, plan
from dirigent.interpreter.loading import definition_from
from dirigent.testing.invariants import (
    ACKNOWLEDGED,
    REFUSED,
    UNKNOWN,
    Answered,
    Entry,
    Listed,
    start_body,
)

REST_SECONDS = 0.05
FINISH_SECONDS_MAX = 120.0


class Client:
    """Asks the engine, whichever process it is just now, and logs what it answered."""

    def __init__(self, engine: Line, recorder: Path, log: BinaryIO) -> None:
        self._engine = engine
        self._recorder = recorder
        self._log = log
        self._numbers = count(1)
        self.ended = 0

    async def drive(self, plan: Plan) -> None:
        """Take one execution from its start to its end."""
        async with asyncio.TaskGroup() as group:
            if await self._start(plan):
                interference = group.create_task(self._interfere(plan))
                while not (standing := await self._standing(plan.execution))["ended"]:
                    await self._move_on(plan, standing, hold=not interference.done())
                interference.cancel()
                self.ended += 1

    async def _start(self, plan: Plan) -> bool:
        given = {"definition": plan.definition, "input": plan.input, "budget": plan.budget}
        body = start_body(definition_from(plan.definition).content_hash, plan.input)
        while True:
            result, code = await self._request("start", plan, body=body, **given)
            if result == ACKNOWLEDGED or code == "conflict":  # an earlier answer was lost on the way
                return True
            assert result == UNKNOWN, f"the start of {plan.execution} was refused: {code}"

    async def _interfere(self, plan: Plan) -> None:
        if plan.cancel_after is not None:
            await asyncio.sleep(plan.cancel_after)
            while (await self._request("cancel", plan))[0] == UNKNOWN:
                pass
        if plan.pause_after is not None:
            await asyncio.sleep(plan.pause_after)
            while (await self._request("pause", plan))[0] == UNKNOWN:
                pass
            await asyncio.sleep(plan.pause_for)
        if plan.signal_after is not None:
            await asyncio.sleep(plan.signal_after)
            signal = f"signal-{plan.execution}"
            while (await self._request("signal", plan, subject=signal))[0] == UNKNOWN:
                pass

    async def look_around(self, tenant: str) -> None:
        """Have a tenant's lists shown."""
        with contextlib.suppress(ConnectionLost):
            shown = await self._engine.ask(do="list", tenant=tenant)
            self._note(
                Listed(
                    order=time.monotonic_ns(),
                    session=shown["session"],
                    tenant=tenant,
                    executions=tuple(shown["executions"]),
                    approvals=tuple(shown["approvals"]),
                )
            )

    async def _standing(self, execution: str) -> Message:
        """How the execution stands when it has ended or waits for a person."""
        while True:
            with contextlib.suppress(ConnectionLost):
                answer = await self._engine.ask(do="rest", execution=execution)
                assert "error" not in answer, f"{execution}: {answer}"
                return answer

    async def _move_on(self, plan: Plan, standing: Message, *, hold: bool) -> None:
        """Do what a person has to do; whatever fails is seen again at the next look."""
        approvals = standing["approvals"] if plan.decides != "wait" else ()
        for approval in approvals:
            await self._request(plan.decides, plan, subject=approval)
        for execution, step in standing["unknown"]:
            found = await look(self._recorder, f"{execution}:{step}")
            await self._request(
                "resolve", plan, subject=step, execution=execution, happened=found is not None, output=found
            )
        if standing["status"] == "paused" and not hold:
            await self._request("resume", plan)
        elif not approvals and not standing["unknown"]:
            await asyncio.sleep(REST_SECONDS)

    async def _request(self, name: str, plan: Plan, **more: Any) -> tuple[str, str]:
        """Ask for something and log what came of it; returns the result and the code of an error."""
        asked = time.monotonic_ns()
        entry: dict[str, Any] = {
            "request": name,
            "execution": more.get("execution", plan.execution),
            "tenant": plan.tenant,
            "actor": f"client-{next(self._numbers)}",
            "subject": more.get("subject", ""),
            "asked": asked,
        }
        body = more.pop("body", "")
        session, result, code = "", UNKNOWN, ""
        with contextlib.suppress(ConnectionLost):
            answer = await self._engine.ask(**{"do": name, **_asked(entry), **more})
            assert answer.get("error") != BROKEN, f"{name} of {plan.execution}: {answer}"
            session, code = answer["session"], answer.get("error", "")
            entry["given"] = answer["given"]
            result = REFUSED if code else ACKNOWLEDGED
        entry |= {"session": session, "result": result, "code": code, "body": body}
        self._note(Answered(order=time.monotonic_ns(), **entry))
        return result, code

    def _note(self, entry: Entry) -> None:
        self._log.write(as_line(entry))
        os.fdatasync(self._log.fileno())


def _asked(entry: dict[str, Any]) -> dict[str, Any]:
    return {name: entry[name] for name in ("execution", "tenant", "actor")}


async def work(given: argparse.Namespace) -> None:
    """Keep so many executions going until told to finish, then see the last of them end."""
    numbers = count()
    finishing = asyncio.Event()

    async def lane(client: Client) -> None:
        while not finishing.is_set():
            wanted = plan(given.seed, next(numbers))
            await client.drive(wanted)
            await client.look_around(wanted.tenant)
            print(client.ended, flush=True)

    async def told_to_finish() -> None:
        await asyncio.to_thread(os.read, 0, 1)
        finishing.set()
        asyncio.get_running_loop().call_later(FINISH_SECONDS_MAX, os._exit, 1)

    with (given.folder / CLIENT_LOG).open("ab", buffering=0) as log:
        engine = Line(given.socket)
        client = Client(engine, given.recorder, log)
        async with asyncio.TaskGroup() as group:
            group.create_task(told_to_finish())
            for _ in range(given.at_once):
                group.create_task(lane(client))
        engine.close()


def main() -> None:
    """Read the arguments and work."""
    parser = argparse.ArgumentParser()
    for name in ("folder", "socket", "recorder"):
        parser.add_argument(name, type=Path)
    parser.add_argument("seed")
    parser.add_argument("--at-once", type=int, default=12)
    asyncio.run(work(parser.parse_args()))


if __name__ == "__main__":
    main()
