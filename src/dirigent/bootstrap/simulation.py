"""The engine as it is put together for simulation: its own driver and clock over simulated ports."""

from __future__ import annotations

from dirigent.runtimes.clock import SystemClock
from dirigent.runtimes.local import LocalRuntime
from dirigent.testing.simulation.process import Drivers

DRIVERS = Drivers(runtime=LocalRuntime, clock=lambda wall, steady: SystemClock(wall=wall, steady=steady))
