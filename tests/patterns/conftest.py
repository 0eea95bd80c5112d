"""A Dirigent over an empty folder, with a clock that the test moves."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from dirigent import Dirigent
from dirigent.settings import Settings
from dirigent.testing.frozen_clock import FrozenClock


@pytest.fixture
def clock() -> FrozenClock:
    """Stands still."""
    return FrozenClock()


@pytest.fixture
async def dirigent(tmp_path: Path, clock: FrozenClock) -> AsyncIterator[Dirigent]:
    """Knows no environment variable and no file of settings."""
    async with Dirigent(settings=Settings(data_folder=tmp_path), clock=clock) as opened:
        yield opened
