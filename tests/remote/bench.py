"""An engine and the server of one of its agents, in one process: only the socket between them is left out."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import httpx2
from fastapi import FastAPI

from dirigent import Context, Dirigent, Effect, Registry, Risk, action, agent
from dirigent.bootstrap.agent_server import AgentServer
from dirigent.domain.errors import ActionFailed
from dirigent.domain.shape import Shape
from dirigent.domain.workflow import Definition
from dirigent.execution.elsewhere import contract_of
from dirigent.interpreter.loading import definition_from
from dirigent.settings import Settings, read_settings

KEY = "the-first-key-of-the-agents"
NEXT_KEY = "the-second-key-of-the-agents"
ADDRESS = "http://127.0.0.1:8091"


class Receipt(Shape):
    """What the press gives."""

    copy_id: str
    seen: dict[str, Any]


@dataclass
class Copies:
    """What the press did, as the world outside sees it: it is not told twice of one key."""

    by_key: dict[str, str] = field(default_factory=dict)
    runs: list[str] = field(default_factory=list)
    trouble: list[Exception] = field(default_factory=list)
    held: Callable[[], Any] | None = None

    def reset(self) -> None:
        """A new day."""
        self.by_key, self.runs, self.trouble, self.held = {}, [], [], None

    async def enter(self) -> None:
        """Be held up, or get into trouble, where that is wished."""
        if self.held is not None:
            await self.held()
        if self.trouble:
            raise self.trouble.pop(0)


COPIES = Copies()


@agent("press", domain="test", aliases=("Printing Press",))
class Press:
    """Prints, in every class of effect."""

    @action(risk=Risk.R1, effect=Effect.KEYED)
    async def print_one(self, text: str, ctx: Context) -> Receipt:
        """Print a text, once per key."""
        COPIES.runs.append(text)
        await COPIES.enter()
        COPIES.by_key.setdefault(ctx.key, text)
        seen = {
            "tenant": ctx.tenant,
            "execution_id": ctx.execution_id,
            "step": ctx.step,
            "attempt": ctx.attempt,
            "key": ctx.key,
            "now": ctx.now.isoformat(),
            "autonomy": ctx.autonomy.value,
        }
        return Receipt(copy_id=f"copy_{ctx.key[:8]}", seen=seen)

    @action(risk=Risk.R0, effect=Effect.READ)
    async def count(self) -> int:
        """How many copies there are."""
        COPIES.runs.append("count")
        await COPIES.enter()
        return len(COPIES.by_key)

    @action(risk=Risk.R1, effect=Effect.AT_MOST_ONCE)
    async def shout(self, text: str, ctx: Context) -> str:
        """Say something that cannot be taken back."""
        COPIES.runs.append(text)
        ctx.acknowledge("voice-1")
        await COPIES.enter()
        return "heard"

    @action(risk=Risk.R1, effect=Effect.KEYED)
    async def print_loud(self, text: str, ctx: Context) -> str:
        """Have a text shouted."""
        heard: str = await ctx.call("press", "shout", text=text)
        return heard

    @action(risk=Risk.R1, effect=Effect.QUERYABLE, lookup="find_post")
    async def post(self, text: str, ctx: Context) -> str:
        """Put up a poster."""
        COPIES.runs.append(text)
        COPIES.by_key[text] = ctx.key
        await COPIES.enter()
        return text

    @action(risk=Risk.R0, effect=Effect.READ)
    async def find_post(self, text: str) -> str | None:
        """Whether the poster is up."""
        return text if text in COPIES.by_key else None

    @action(risk=Risk.R4, effect=Effect.KEYED)
    async def burn(self, text: str, ctx: Context) -> str:
        """Burn something, which always asks a person."""
        COPIES.runs.append(text)
        return f"burnt {text}"

    @action(risk=Risk.R1, effect=Effect.KEYED, outward=True)
    async def send(self, text: str, ctx: Context) -> str:
        """Let something out of the house."""
        COPIES.runs.append(text)
        return f"sent {text}"

    @action(risk=Risk.R1, effect=Effect.KEYED, outward=True, tells_held=True)
    async def announce(self, text: str, ctx: Context) -> str:
        """Let something out, or say why not."""
        COPIES.runs.append(text)
        return f"held: {ctx.held}" if ctx.held else f"announced {text}"

    @action(risk=Risk.R0, effect=Effect.PURE)
    async def spoil(self) -> str:
        """Fail for good."""
        raise ActionFailed("The plate is broken.", fix="Make a new one.")


@dataclass(frozen=True)
class Said:
    """What something that is no agent's server says."""

    status: int
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)

    def reply(self) -> httpx2.Response:
        """It, as it comes over the line."""

        async def pieces() -> AsyncIterator[bytes]:
            yield self.body

        return httpx2.Response(self.status, content=pieces(), headers=self.headers)


class Wire(httpx2.AsyncBaseTransport):
    """The way to the server: all that passes is noted, and it can fail before or after the other side."""

    def __init__(self) -> None:
        self.app: FastAPI | None = None
        self.cut = asyncio.Event()
        self.before: list[Exception] = []
        self.after: list[Exception] = []
        self.instead: list[Said] = []
        self.requests: list[httpx2.Request] = []
        self.client = ("127.0.0.1", 50_000)

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Pass a request on."""
        self.requests.append(request)
        if self.before:
            raise self.before.pop(0)
        if self.instead:
            return self.instead.pop(0).reply()
        if self.app is None:
            raise httpx2.ConnectError("connection refused")
        transport = httpx2.ASGITransport(app=self.app, client=self.client)
        answering = asyncio.ensure_future(transport.handle_async_request(request))
        cut = asyncio.ensure_future(self.cut.wait())
        try:
            await asyncio.wait({answering, cut}, return_when=asyncio.FIRST_COMPLETED)
            if not answering.done():
                raise httpx2.ReadError("the line is dead")
            reply = answering.result()
        finally:
            for task in (answering, cut):
                task.cancel()
            await asyncio.gather(answering, cut, return_exceptions=True)
        if self.after:
            raise self.after.pop(0)
        return reply


@dataclass
class Bench:
    """The caller, the way, and the server."""

    dirigent: Dirigent
    wire: Wire
    server: AgentServer

    async def run(self, act: str, input: dict[str, Any] | None = None, **step: Any) -> Any:
        """Run one action of the press as a workflow; the reading once it is at rest."""
        return await self.dirigent.run(workflow(act, **step), input or {"text": "news"})


def workflow(act: str, **step: Any) -> Definition:
    """A workflow of one step."""
    takes = {} if act in ("count", "spoil") else {"parameters": {"text": "${input.text}"}}
    one = {"id": "print", "type": "agent", "agent_type": "press", "action": act, **takes, **step}
    return definition_from({"name": act, "steps": [one]})


def caller_settings(folder: Path, **environment: str) -> Settings:
    """What the engine is told."""
    given = {"DIRIGENT_AGENT_KEY": KEY, **environment}
    return read_settings(environment=given, folder=folder, data_folder=folder / "engine")


def server_settings(folder: Path, **environment: str) -> Settings:
    """What the agent's server is told."""
    given = {"DIRIGENT_AGENT_KEY": KEY, **environment}
    return read_settings(environment=given, folder=folder, data_folder=folder / "press")


def a_call(act: str = "print_one", *, contract: str = "", **given: Any) -> dict[str, Any]:
    """A call as it goes over the line."""
    tenant, origin = given.pop("tenant", "default"), given.pop("origin", {})
    known = Registry([Press]).action("press", act)
    return {
        "agent": "press",
        "action": act,
        "contract": contract or contract_of(known),
        "inputs": given,
        "tenant": tenant,
        "actor": "ann",
        "autonomy": "L1",
        "origin": {
            "execution_id": "exec_1",
            "step": "s",
            "attempt": 1,
            "key": "k" * 32,
            "now_ms": 1,
            **origin,
        },
    }


class Served(Protocol):
    """Whatever has a server."""

    @property
    def server(self) -> AgentServer:
        """The server."""
        ...


async def posted(press: Served, call: Any, key: str = KEY, **options: Any) -> httpx2.Response:
    """Send a call as somebody who has a key."""
    transport = httpx2.ASGITransport(app=press.server.app())
    headers = {"authorization": f"Bearer {key}", **options.pop("headers", {})}
    async with httpx2.AsyncClient(transport=transport, base_url=ADDRESS) as client:
        return await client.post("/api/v1/agents/press/calls", json=call, headers=headers, **options)


@asynccontextmanager
async def bench(
    folder: Path,
    *,
    here: dict[str, str] | None = None,
    there: dict[str, str] | None = None,
    own: type[Any] | None = None,
    named: str = "press",
    **options: Any,
) -> AsyncIterator[Bench]:
    """An engine, and the server of one of its agents; `own` is how the server knows it."""
    wire = Wire()
    folder.mkdir(exist_ok=True)
    address = {f"{named.upper()}_AGENT_URL": ADDRESS}
    served = AgentServer(named, settings=server_settings(folder, **(there or {})), own=[own or Press])
    caller = Dirigent(
        settings=caller_settings(folder, **address, **(here or {})),
        agents=[Press],
        agent_transport=wire,
        **options,
    )
    async with served as server, caller as dirigent:
        wire.app = server.app()
        yield Bench(dirigent, wire, server)
