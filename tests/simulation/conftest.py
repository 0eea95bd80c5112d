"""What the tests of the simulator share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.simulation.stage import Stage


@pytest.fixture(autouse=True)
def _stages() -> Iterator[None]:
    """No simulated process outlives the test that began it."""
    yield
    Stage.clear()
