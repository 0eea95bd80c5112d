"""What opening an engine does to the collector of reference cycles of its process."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

OPEN_TWICE = """
import asyncio, gc, sys
from dirigent import Dirigent
if sys.argv[2:]:
    gc.set_threshold(int(sys.argv[2]))
async def opened():
    async with Dirigent(sys.argv[1]):
        return gc.get_freeze_count()
first, second = asyncio.run(opened()), asyncio.run(opened())
print(first > 10_000, 10_000 < second <= first, gc.get_threshold()[0])
"""


@pytest.mark.parametrize(("chosen", "then"), [((), 10_000), (("1234",), 1234)], ids=["default", "chosen"])
def test_it_is_spared_what_stays_once(tmp_path: Path, chosen: tuple[str, ...], then: int) -> None:
    """At the first opening only, and a threshold that somebody chose is left as it is."""
    command = [sys.executable, "-c", OPEN_TWICE, str(tmp_path), *chosen]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert said.split() == ["True", "True", str(then)]
