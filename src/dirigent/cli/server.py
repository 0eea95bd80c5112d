"""Serving: one process that holds the data folder, answers over HTTP and says where."""

from __future__ import annotations

import asyncio
import signal
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

import uvicorn
from starlette.types import ASGIApp

from dirigent import __version__
from dirigent.api.app import create_app
from dirigent.api.services import LOOPBACK
from dirigent.bootstrap import Dirigent
from dirigent.cli.failures import DONE
from dirigent.cli.patience import Impatient, ImpatientSocket
from dirigent.cli.screen import Screen, facts
from dirigent.domain.errors import InvalidInput
from dirigent.settings import Settings

SIGNALS = (signal.SIGINT, signal.SIGTERM)
BACKLOG = 2048
SHUTDOWN_SECONDS_MAX = 5
SOCKET_MESSAGE_BYTES_MAX = 4096


def serve(settings: Settings, screen: Screen, *, jobs_at_once: int = 0) -> int:
    """Serve until a signal asks for the end; what runs then goes on at the next start."""
    with listening(settings.host, settings.port) as listener:
        asyncio.run(_serve(settings, screen, listener, jobs_at_once))
    screen.say("Stopped. What had not ended goes on at the next start.")
    return DONE


async def _serve(settings: Settings, screen: Screen, listener: socket.socket, jobs_at_once: int) -> None:
    async with Dirigent(settings=settings) as dirigent:
        with hearing_signals(create_app(dirigent.services())) as server:
            url = url_of(settings.host, listener)
            dirigent.lock.publish(url)
            _announce(screen, dirigent, url)
            await dirigent.connectors.start()
            async with _working(dirigent, jobs_at_once):
                await server.serve(sockets=[listener])


@contextmanager
def hearing_signals(app: ASGIApp) -> Iterator[uvicorn.Server]:
    """A server over HTTP that ends when a signal asks for it, also one that came before it began to serve.

    What is under way then has a few seconds. Whoever is told of a process may stop it at once, so nobody is
    told of it before its signals are heard.
    """
    config = uvicorn.Config(
        app,
        http=Impatient,
        ws=ImpatientSocket,
        ws_max_size=SOCKET_MESSAGE_BYTES_MAX,
        ws_per_message_deflate=False,
        log_config=None,
        access_log=False,
        lifespan="off",
        timeout_graceful_shutdown=SHUTDOWN_SECONDS_MAX,
    )
    server, loop = _Server(config), asyncio.get_running_loop()
    for number in SIGNALS:
        loop.add_signal_handler(number, server.handle_exit, number, None)
    try:
        yield server
    finally:
        for number in SIGNALS:
            loop.remove_signal_handler(number)


@asynccontextmanager
async def _working(dirigent: Dirigent, jobs_at_once: int) -> AsyncIterator[None]:
    """Jobs of the queue are worked on meanwhile; at the end they are given back where they do not finish."""
    if not jobs_at_once:
        yield
        return
    stop = asyncio.Event()
    worker = dirigent.work.worker(concurrency=jobs_at_once, grace_s=SHUTDOWN_SECONDS_MAX)
    working = asyncio.ensure_future(worker.run(stop))
    try:
        yield
    finally:
        stop.set()
        await working


class _Server(uvicorn.Server):
    """Ends at the first signal, and does not raise it once more: the data folder has still to be closed."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """They are heard already."""
        yield


@contextmanager
def listening(host: str, port: int) -> Iterator[socket.socket]:
    """A socket that listens; raises `InvalidInput` where there can be none."""
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        listener = socket.create_server((host, port), family=family, backlog=BACKLOG)
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or str(error).rstrip(".")
        raise InvalidInput(
            f"{host}:{port} cannot be listened on: {reason}.", fix="Take another with --port or --host."
        ) from error
    with listener:
        # Connections take it over. An answer goes out in two pieces, and without this the second one of a
        # connection that is kept waits some 40 ms for the caller to acknowledge the first.
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        yield listener


def url_of(host: str, listener: socket.socket) -> str:
    """Where a listening socket is reached from this machine."""
    port = listener.getsockname()[1]
    reachable = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    return f"http://[{reachable}]:{port}" if ":" in reachable else f"http://{reachable}:{port}"


def _elsewhere(dirigent: Dirigent) -> dict[str, str]:
    """Which agents are called at servers of their own; nothing where none is."""
    servers = dirigent.servers.servers
    told = ", ".join(f"{key} at {server.address}" for key, server in servers.items())
    return {"agents elsewhere": told} if told else {}


def _announce(screen: Screen, dirigent: Dirigent, url: str) -> None:
    settings = dirigent.settings
    addresses = {
        "API": f"{url}/openapi.json",
        "health": f"{url}/api/are/health",
        "data": str(settings.data_folder.resolve()),
        "delivery": "on: approved messages leave"
        if settings.allow_delivery
        else "off: every message is held",
        "triggers": f"{len(dirigent.triggers.table)} at work",
        "connectors": f"{len(dirigent.connectors.states())} asked",
        **_elsewhere(dirigent),
        "resumed": f"{len(dirigent.resumed)} executions",
        "next": "dirigent goal run examples/goals/revive_pipeline.json   (in another terminal)",
    }
    if screen.json:
        screen.document({"url": url, **addresses})
        return
    screen.heading(f"Dirigent {__version__} serves {url}")
    screen.show(facts(addresses))
    for sentence in settings.not_used():
        screen.warn(f"note: {sentence}")
    if settings.host not in LOOPBACK:
        screen.warn("warning: there is no authentication yet; whoever can reach this port may do everything.")
    screen.say("Ctrl-C stops it.")
