"""`dirigent worker` as a process: a stop loses nothing and doubles nothing, and two work side by side."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import Any

from dirigent.bootstrap.workshop import Elsewhere, workshop_beside
from dirigent.domain.job import DONE, READY, QueuedJob
from dirigent.settings import Settings
from dirigent.storage.sqlite.queue import SqliteQueue
from dirigent.testing.frozen_clock import FrozenClock

JOBS_MIN, JOBS_MAX, JOBS_AHEAD = 20, 500, 5
COMMAND = [sys.executable, "-c", "from dirigent.cli.main import main; main()"]
FLOWS = """
import asyncio, os, time
from pathlib import Path
from dirigent.domain.envelope import Envelope

METADATA = {"run_id": "r", "tenant_id": "t", "status": "ok", "created_at": "now"}

def mark(payload):
    with Path(payload["marks"]).open("a") as file:
        file.write(f"{payload['n']} {os.getpid()}\\n")

async def wait_for(path):
    while not Path(path).exists():
        await asyncio.sleep(0.01)

async def finish(payload):
    mark(payload)
    await wait_for(payload["gate"])
    return Envelope.from_records([], METADATA)

def stuck(payload):
    mark(payload)
    time.sleep(600)

def quick(payload):
    mark(payload)
    time.sleep(0.01)
    return Envelope.from_records([], METADATA)

FLOWS = {"finish": finish, "stuck": stuck, "quick": quick}
"""


class Place:
    """A data folder with a module of flows beside it, and what they left."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.data = folder / "data"
        self.marks = folder / "marks"
        self.gate = folder / "gate"
        (folder / "stop_flows.py").write_text(FLOWS)

    def hand_in(self, flow: str, number: int = 0) -> str:
        """One job of a flow."""
        payload = {"marks": str(self.marks), "gate": str(self.gate), "n": number}
        with workshop_beside(Settings(data_folder=self.data), {flow: Elsewhere(flow)}) as shop:
            return str(shop.manager.ingest_event({"flow": flow, "payload": payload}).job_id)

    def worker(self, *words: str) -> subprocess.Popen[str]:
        """A worker in a process of its own, in this folder."""
        return subprocess.Popen(
            [*COMMAND, "worker", "--apart", "-f", "stop_flows:FLOWS", "--data", str(self.data), *words],
            cwd=self.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        )

    def job(self, job_id: str) -> QueuedJob:
        """How a job stands now."""
        with closing(SqliteQueue(self.data / "queue.db", FrozenClock())) as queue:
            return queue.job(job_id)

    def pids(self) -> set[str]:
        """The processes that began a job."""
        lines = self.marks.read_text().splitlines() if self.marks.exists() else []
        return {line.split()[1] for line in lines}

    def marked(self) -> list[str]:
        """The numbers of the jobs that were begun."""
        return (
            [line.split()[0] for line in self.marks.read_text().splitlines()] if self.marks.exists() else []
        )


def _until(condition: Any) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, "it never came to that"
        time.sleep(0.005)


def test_a_stop_lets_the_job_finish(tmp_path: Path) -> None:
    """SIGTERM during a job: it is finished within the grace, the next one is not begun, exit code 0."""
    place = Place(tmp_path)
    first, second = place.hand_in("finish", 1), place.hand_in("finish", 2)
    worker = place.worker("-o", "json")
    _until(lambda: place.marked() == ["1"])
    worker.send_signal(signal.SIGTERM)
    place.gate.touch()
    out, err = worker.communicate(timeout=60)
    assert worker.returncode == 0, err
    events = [json.loads(line)["event"] for line in out.splitlines()]
    assert events == ["worker.job.start", "worker.job.success"]
    assert (place.job(first).state, place.job(second).state) == (DONE, READY)
    assert place.marked() == ["1"]


def test_a_stop_gives_back_what_does_not_finish(tmp_path: Path) -> None:
    """When the grace is over the job is visible again at once, with no attempt counted, async or not."""
    for flow in ("finish", "stuck"):
        (tmp_path / flow).mkdir()
        place = Place(tmp_path / flow)
        job_id = place.hand_in(flow, 1)
        worker = place.worker("--grace", "0.1")
        _until(lambda at=place: at.marked() == ["1"])
        worker.send_signal(signal.SIGINT)
        out, err = worker.communicate(timeout=60)
        assert worker.returncode == 0, err
        assert "No job is lost" in out
        job = place.job(job_id)
        assert (job.state, job.attempts, job.failures) == (READY, 0, ())


def test_two_workers_share_the_jobs(tmp_path: Path) -> None:
    """Jobs keep coming until both processes have had one: each job ran once, and none is left."""
    place = Place(tmp_path)
    workers = [place.worker(), place.worker()]
    number = 0
    while len(place.pids()) < 2 or number < JOBS_MIN:
        assert number < JOBS_MAX, "one of them took everything"
        place.hand_in("quick", number)
        number += 1
        _until(lambda least=number - JOBS_AHEAD: len(place.marked()) > least)
    _until(lambda: len(place.marked()) == number)
    for worker in workers:
        worker.send_signal(signal.SIGTERM)
    for worker in workers:
        _, err = worker.communicate(timeout=60)
        assert worker.returncode == 0, err
    assert Counter(place.marked()) == {str(one): 1 for one in range(number)}
    with closing(SqliteQueue(place.data / "queue.db", FrozenClock())) as queue:
        assert queue.counts()[0].done == number


def test_a_server_works_on_jobs_too(tmp_path: Path) -> None:
    """With --work, in the one process that has the engine; a stop ends both."""
    data = tmp_path / "data"
    server = subprocess.Popen(
        [*COMMAND, "serve", "--port", "0", "--work", "2", "--data", str(data)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    with workshop_beside(Settings(data_folder=data), {"delivery": Elsewhere("delivery")}) as shop:
        run = shop.manager.ingest_event({"flow": "delivery", "payload": {"message_ids": []}})
        assert run.job_id is not None
        _until(lambda: shop.queue.job(str(run.job_id)).state == DONE or server.poll() is not None)
        assert shop.audit.attempts(run.run_id)[0].status == "completed"
    server.send_signal(signal.SIGTERM)
    _, err = server.communicate(timeout=60)
    assert server.returncode == 0, err
