"""Over https the server has to prove who it is before it is told anything."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from dirigent import Dirigent
from tests.remote.bench import KEY, Press, caller_settings, workflow

# Made for this test; it opens nothing.
SELF_SIGNED = Path(__file__).parents[1] / "fixtures" / "self-signed.pem"


@asynccontextmanager
async def somebody(heard: list[bytes]) -> AsyncIterator[int]:
    """A server with a certificate that nobody vouches for; it notes what it is told, and says no."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(b"HTTP/1.1 503 No\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
        writer.close()

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(SELF_SIGNED)
    async with await asyncio.start_server(answer, "127.0.0.1", 0, ssl=context) as server:
        yield server.sockets[0].getsockname()[1]


async def test_a_certificate_that_nobody_vouches_for(tmp_path: Path) -> None:
    """Not a byte of the call, and not the key, goes to it: the step fails as one that nobody took."""
    heard: list[bytes] = []
    async with somebody(heard) as port:
        settings = caller_settings(tmp_path, PRESS_AGENT_URL=f"https://localhost:{port}")
        async with Dirigent(settings=settings, agents=[Press]) as engine:
            reading = await engine.run(workflow("shout"), {"text": "news"})
    assert reading.error is not None
    assert (reading.error.code, heard) == ("not_taken", [])
    assert "certificate" in reading.error.message.lower()


async def test_a_certificate_of_the_house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A house with an authority of its own names it as programs do, and the call goes out."""
    monkeypatch.setenv("SSL_CERT_FILE", str(SELF_SIGNED))
    heard: list[bytes] = []
    async with somebody(heard) as port:
        settings = caller_settings(tmp_path, PRESS_AGENT_URL=f"https://localhost:{port}")
        async with Dirigent(settings=settings, agents=[Press]) as engine:
            await engine.run(workflow("print_one"), {"text": "news"})
    assert len(heard) == 1
    assert f"bearer {KEY}".encode() in heard[0].lower()
