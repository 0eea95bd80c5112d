"""An agent for the HTTP tests: one action for every way in which a direct call can end."""

from __future__ import annotations

import asyncio

from pydantic import BaseModel

from dirigent import Effect, Risk, action, agent
from dirigent.domain.errors import ActionFailed


class NewLead(BaseModel):
    """What `list_leads` lists."""

    lead_id: str


@agent("desk", domain="test", aliases=("DeskAgent",))
class Desk:
    """Does as it is told."""

    @action(risk=Risk.R0, effect=Effect.READ)
    async def list_leads(self, count: int) -> list[NewLead]:
        """List so many leads."""
        return [NewLead(lead_id=f"L{number}") for number in range(count)]

    @action(risk=Risk.R4, effect=Effect.KEYED)
    async def pay(self, amount: float) -> str:
        """Pay, which always asks a person."""
        return f"paid {amount:g}"

    @action(risk=Risk.R4, effect=Effect.KEYED)
    async def shred(self, message: dict[str, str]) -> str:
        """Destroy a message for good, which always asks a person."""
        return f"shredded {message['message_id']}"

    @action(risk=Risk.R3, effect=Effect.KEYED, outward=True)
    async def post(self, message: dict[str, str]) -> str:
        """Post a message that no law allows: no sender, no address, no way out."""
        return f"posted {message['body']}"

    @action(risk=Risk.R0, effect=Effect.PURE)
    async def stumble(self) -> str:
        """End with an error of its own."""
        raise ActionFailed("The drawer is empty.", fix="Fill it.")

    @action(risk=Risk.R0, effect=Effect.PURE)
    async def crash(self) -> str:
        """End with an error that nobody expected."""
        raise ZeroDivisionError("a secret of the code")

    @action(risk=Risk.R0, effect=Effect.PURE)
    async def linger(self) -> str:
        """Never end by itself."""
        await asyncio.Event().wait()
        return "never"
