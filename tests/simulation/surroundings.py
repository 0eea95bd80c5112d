"""The world around one simulated process, in which nothing happens by chance."""

from __future__ import annotations

import random
from itertools import count

from dirigent.domain.event import Event
from dirigent.testing.simulation.disk import Disk
from dirigent.testing.simulation.process import Process
from dirigent.testing.simulation.scheduler import Scheduler

EPOCH_S = 1_780_000_000.0


class Surroundings:
    """A disk and a time that outlive the process; what it asks of them is answered without a fault."""

    process: Process

    def __init__(self) -> None:
        self.chance = random.Random(1)
        self.scheduler = Scheduler(self.chance)
        self.disk = Disk()
        self._ticks = count(1)

    def step(self) -> bool:
        """Give the process a turn or, where it is idle, let time go on; tells whether there was one."""
        loop = self.process.loop
        if loop.idle:
            return self.scheduler.advance()
        loop.turn()
        self.scheduler.catch_up()
        return True

    # --- what the process asks of the world --------------------------------------------------------

    def wall(self) -> float:
        return EPOCH_S + self.scheduler.now

    def tick(self) -> int:
        return next(self._ticks)

    def passed(self, point: str) -> None:
        return None

    def storage_failed(self) -> None:
        raise AssertionError("this disk never fails")

    def told(self, execution: str, event: Event) -> None:
        return None

    def allows_delivery(self, tenant: str) -> bool:
        return True
