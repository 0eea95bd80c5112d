"""Reading an answer from outside: no more of it than is bearable, and as it was sent."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dirigent.domain.errors import ActionFailed

if TYPE_CHECKING:
    import httpx2


async def read_body(reply: httpx2.Response, bytes_max: int) -> bytes:
    """The whole body; raises `ActionFailed` where it is too large, or compressed without being asked."""
    if reply.headers.get("content-encoding", "identity") != "identity":
        raise ActionFailed("The answer is compressed, though that was not asked for.")
    body = bytearray()
    async for piece in reply.aiter_raw():
        body += piece
        if len(body) > bytes_max:
            raise ActionFailed(f"The answer has more than {bytes_max:,} bytes.", fix="Ask for less of it.")
    return bytes(body)
