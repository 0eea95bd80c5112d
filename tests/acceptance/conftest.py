"""A Dirigent over an empty folder, and its HTTP interface without a socket."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import httpx2
import pytest

from dirigent import Dirigent
from dirigent.api.app import create_app
from dirigent.settings import read_settings
from tests.acceptance.wire import client_of


@pytest.fixture
async def dirigent(tmp_path: Path) -> AsyncIterator[Dirigent]:
    """A Dirigent over an empty folder that knows no environment variable and no configuration file."""
    settings = read_settings(environment={}, folder=tmp_path, data_folder=tmp_path / "data")
    async with Dirigent(settings=settings) as opened:
        yield opened


@pytest.fixture
async def http(dirigent: Dirigent) -> AsyncIterator[httpx2.AsyncClient]:
    """Its HTTP interface, called without a socket."""
    async with client_of(create_app(dirigent.services())) as client:
        yield client
