"""A process to be killed: hands jobs in, takes jobs out, and says what the queue has acknowledged.

Usage: queue_worker.py FILE ROUND. A line is printed only after the call has returned.
"""

from __future__ import annotations

import sys
from itertools import count
from pathlib import Path

from dirigent.runtimes.clock import SystemClock
from dirigent.storage.sqlite.queue import SqliteQueue

TOPIC = "runs.lead"
HOLD_SECONDS = 300.0


def main(path: Path, run: str) -> None:
    queue = SqliteQueue(path, SystemClock())
    print("ready", flush=True)
    for number in count():
        print("in", queue.enqueue(TOPIC, {"job_id": f"{run}-{number}"}), flush=True)
        if number % 2:
            job = queue.dequeue(TOPIC, HOLD_SECONDS)
            if job is not None:
                print("held", job.job_id, flush=True)
                queue.ack(job.job_id, job.receipt)
                print("done", job.job_id, flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
