"""Ctrl-C: what runs is left as its journal has it, and the user is told how to go on."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Coroutine
from typing import Any, NoReturn

from dirigent.cli.failures import INTERRUPTED
from dirigent.cli.screen import Screen


def interruptible(work: Coroutine[Any, Any, int], screen: Screen, hint: str) -> int:
    """Run something to its end and return its exit code; where the user breaks it off, the process ends."""
    runner = asyncio.Runner()
    try:
        return runner.run(work)
    except KeyboardInterrupt:
        screen.warn(f"\ninterrupted. {hint}")
        _leave()
    finally:
        runner.close()


def _leave() -> NoReturn:
    """End now. The data folder is closed; a thread that still computes would only keep the user waiting."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(INTERRUPTED)
