"""Working on jobs from the command line: signals, one line a job, and an end that loses nothing."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import msgspec

from dirigent.bootstrap import Dirigent
from dirigent.bootstrap.system import Flow
from dirigent.bootstrap.workshop import Workshop, workshop_beside
from dirigent.cli.failures import DONE, FAILED
from dirigent.cli.queue_report import counted
from dirigent.cli.screen import Screen, span
from dirigent.observability.exporters import WorkerExporter
from dirigent.ports.queueing import Orchestrator
from dirigent.settings import Settings

SIGNALS = (signal.SIGINT, signal.SIGTERM)


@dataclass(frozen=True, kw_only=True)
class Assignment:
    """What a worker is told on the command line."""

    flows: Mapping[str, Flow]
    code: Mapping[str, Orchestrator]
    topics: tuple[str, ...] = ()
    concurrency: int = 1
    grace_s: float = 30.0
    visibility_s: float = 30.0
    once: bool = False
    apart: bool = False


def work(settings: Settings, screen: Screen, assignment: Assignment) -> int:
    """Work until a signal asks for the end, or on one job; the exit code."""
    runner = asyncio.Runner()
    code, abandoned = runner.run(_work(settings, screen, assignment))
    if abandoned:  # a flow that is not async may still run in its thread; its job was given back
        sys.stdout.flush()
        os._exit(code)
    runner.close()
    return code


async def _work(settings: Settings, screen: Screen, told: Assignment) -> tuple[int, bool]:
    async with _opened(settings, told) as shop:
        worker = shop.worker(
            emit=_teller(screen),
            topics=told.topics,
            concurrency=told.concurrency,
            grace_s=told.grace_s,
            visibility_timeout=told.visibility_s,
        )
        if told.once:
            worked = await worker.work_once()
            if worked is None:
                screen.say("There is no job.")
            return (DONE if worked is None or worked.outcome == "success" else FAILED), False
        if not screen.json:
            screen.say(f"Works on: {', '.join(told.topics or shop.flows())}. Ctrl-C stops it.")
        with _stopping(asyncio.current_task()) as stop:
            await worker.run(stop)
        screen.say("Stopped. No job is lost: what was not finished is back in the queue.")
        return DONE, worker.abandoned


@asynccontextmanager
async def _opened(settings: Settings, told: Assignment) -> AsyncIterator[Workshop]:
    """The whole system; or, apart from it, the queue and the flows in code alone."""
    if told.apart:
        with workshop_beside(settings, told.code) as shop:
            yield shop
        return
    async with Dirigent(settings=settings, flows={**told.flows, **told.code}) as dirigent:
        yield dirigent.work


class _stopping:
    """Signals as an event: the first asks for the end, a second one does not wait for it."""

    def __init__(self, task: asyncio.Task[Any] | None) -> None:
        self._task = task
        self._stop = asyncio.Event()

    def __enter__(self) -> asyncio.Event:
        for number in SIGNALS:
            asyncio.get_running_loop().add_signal_handler(number, self._signalled)
        return self._stop

    def __exit__(self, *_: object) -> None:
        for number in SIGNALS:
            asyncio.get_running_loop().remove_signal_handler(number)

    def _signalled(self) -> None:
        if self._stop.is_set() and self._task is not None:
            self._task.cancel()
        self._stop.set()


def _teller(screen: Screen) -> Callable[[Mapping[str, Any]], None]:
    """Tells events to the log and to whoever watches: a line a job, or each event as a line of JSON."""
    export = WorkerExporter()

    def tell(event: Mapping[str, Any]) -> None:
        export(event)
        if screen.json:
            sys.stdout.write(msgspec.json.encode(dict(event)).decode() + "\n")
            sys.stdout.flush()
        elif (line := _line(event)) is not None:
            screen.say(line)

    return tell


def _line(event: Mapping[str, Any]) -> str | None:
    what = event["event"].rpartition(".")[2]
    where = f"{event['flow']}  {event['job_id']}"
    if what == "success":
        return f"done   {where}  {counted(event['records'], 'record')} in {span(event['duration_ms'] / 1000)}"
    if what == "requeue":
        return f"again  {where}  {event['error']} in attempt {event['attempt']}, next in {event['delay_s']} s"
    if what == "dead":
        tried = counted(event["attempts"], "attempt")
        return f"dead   {where}  after {tried}: dirigent queue show {event['job_id']}"
    return None
