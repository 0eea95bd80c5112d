"""An agent's server as a process: killed in the middle of an effect, started again, stopped."""

from __future__ import annotations

import asyncio
import importlib.util
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from dirigent import Dirigent
from dirigent.domain.workflow import Definition
from dirigent.interpreter.loading import definition_from
from dirigent.settings import read_settings
from dirigent.storage.sqlite.lock import describe
from tests.acceptance.terminal import dirigent
from tests.remote.bench import KEY

WAIT_SECONDS_MAX = 60.0
AGENT = '''
"""An agent that waits for a sign in the middle of its effect."""

import asyncio
from pathlib import Path

from dirigent import Context, Effect, Risk, action, agent

HERE = Path(__file__).parent


@agent("mason", domain="test")
class Mason:
    """Lays bricks."""

    @action(risk=Risk.R1, effect=Effect.KEYED)
    async def lay(self, brick: str, ctx: Context) -> str:
        """Lay a brick once per key."""
        with (HERE / "begun").open("a") as begun:
            begun.write(ctx.key + "\\n")
        while not (HERE / "go").exists():
            await asyncio.sleep(0.02)
        with (HERE / "wall").open("a+") as wall:
            wall.seek(0)
            if ctx.key not in wall.read():
                wall.write(ctx.key + "\\n")
        return brick
'''
PATIENT = {"max_attempts": 12, "initial": "1s", "backoff_factor": 1.3}


def lay(**step: Any) -> Definition:
    """A workflow of one step."""
    one = {
        "id": "lay",
        "type": "agent",
        "agent_type": "mason",
        "action": "lay",
        "parameters": {"brick": "red"},
    }
    return definition_from({"name": "lay", "steps": [one | step]})


MASON = ("mason", "--from", "masons:Mason")


def started(
    folder: Path, port: int, agent: tuple[str, ...], environment: dict[str, str]
) -> tuple[subprocess.Popen[str], str]:
    """A server as a user starts it, and where it answers."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("DIRIGENT_", "PORT"))}
    process = subprocess.Popen(
        [
            *(sys.executable, "-c", "from dirigent.cli.main import main; main()"),
            *("agent", "serve", *agent, "--port", str(port), "--data", str(folder / agent[0])),
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=folder,
        env={**kept, **environment},
    )
    deadline = time.monotonic() + WAIT_SECONDS_MAX
    while time.monotonic() < deadline and process.poll() is None:
        holder = describe(folder / agent[0]) if (folder / agent[0]).is_dir() else None
        if holder is not None and holder.pid == process.pid and holder.url:
            return process, holder.url
        time.sleep(0.05)
    process.kill()
    raise AssertionError(process.communicate())


@contextmanager
def serving(
    folder: Path, port: int = 0, agent: tuple[str, ...] = MASON, **environment: str
) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A server until the end of the block."""
    process, url = started(folder, port, agent, environment or {"DIRIGENT_AGENT_KEY": KEY})
    try:
        yield process, url
    finally:
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=WAIT_SECONDS_MAX)
    if process.returncode != -signal.SIGKILL:
        assert (process.returncode, err) == (0, "")
        assert f"serves the agent {agent[0]}" in out


@pytest.fixture
def masons(tmp_path: Path) -> Any:
    """The agent's class, from the very file that the server takes it from."""
    file = tmp_path / "masons.py"
    file.write_text(AGENT)
    spec = importlib.util.spec_from_file_location("masons_of_the_test", file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    yield module.Mason
    del sys.modules[spec.name]


def caller(folder: Path, mason: Any, url: str) -> Dirigent:
    """The engine that calls it."""
    environment = {"MASON_AGENT_URL": url, "DIRIGENT_AGENT_KEY": KEY}
    settings = read_settings(environment=environment, folder=folder, data_folder=folder / "engine")
    return Dirigent(settings=settings, agents=[mason])


async def until(condition: Any) -> None:
    """Wait for another process."""
    async with asyncio.timeout(WAIT_SECONDS_MAX):
        while not condition():
            await asyncio.sleep(0.02)


async def test_killed_in_the_middle_of_an_effect(tmp_path: Path, masons: Any) -> None:
    """kill -9 of the server, a new one on the same data: the effect is there once, and the run completes."""
    with serving(tmp_path) as (process, url):
        async with caller(tmp_path, masons, url) as engine:
            run = asyncio.ensure_future(engine.run(lay(retry_policy=PATIENT)))
            await until((tmp_path / "begun").exists)
            process.kill()
            process.wait()
            (tmp_path / "go").touch()
            with serving(tmp_path, urlsplit(url).port or 0):
                reading = await run
            assert (reading.status, reading.output) == ("completed", "red")
            assert not engine.engine.unknown_outcomes()
    begun, wall = ((tmp_path / name).read_text().split() for name in ("begun", "wall"))
    assert (len(begun), len(set(begun)), wall) == (2, 1, begun[:1])
    async with Dirigent(tmp_path / "mason", agents=[masons]) as there:
        assert not there.engine.verify().damages
        assert [row.status for row in there.engine.executions()] == ["completed"]


async def test_stopped(tmp_path: Path, masons: Any) -> None:
    """While it runs it is online; once it is stopped that is told, and the step's fallback acts instead."""
    (tmp_path / "go").touch()
    with serving(tmp_path) as (_, url):
        async with caller(tmp_path, masons, url) as engine:
            assert (await engine.run(lay())).output == "red"
            await engine.servers.look()
            assert engine.health()["components"]["agent:mason"]["status"] == "online"
    instead = {"value": "no brick"}
    async with caller(tmp_path, masons, url) as engine:
        reading = await engine.run(lay(fallback=instead))
        await engine.servers.look()
        health = engine.health()
        failed = await engine.run(lay())
    assert (reading.status, reading.output) == ("completed", "no brick")
    assert (health["status"], health["components"]["agent:mason"]["status"]) == ("healthy", "offline")
    assert failed.error is not None
    assert (failed.status, failed.error.code) == ("failed", "not_taken")


async def test_the_printed_inventory_agent(tmp_path: Path) -> None:
    """`agent serve inventory`, then INVENTORY_AGENT_URL: a step uses it, with no key set."""
    step = {"id": "ask", "type": "agent", "agent_type": "inventory", "action": "check_stock"}
    definition = definition_from({"name": "w", "steps": [{**step, "fallback": {"value": "ask by phone"}}]})
    home = {"XDG_STATE_HOME": str(tmp_path / "state")}
    with serving(tmp_path, 0, ("inventory",), **home) as (_, url):
        environment = {"INVENTORY_AGENT_URL": url, **home}
        settings = read_settings(environment=environment, folder=tmp_path, data_folder=tmp_path / "engine")
        async with Dirigent(settings=settings) as engine:
            reading = await engine.run(definition)
        there = tmp_path / "inventory"
        said = await asyncio.to_thread(dirigent, "ls", "-o", "json", data=there, **home)
        cancel = ("cancel", said.data[0]["execution_id"])
        ended = await asyncio.to_thread(dirigent, *cancel, data=there, **home)
        stranger = await asyncio.to_thread(dirigent, *cancel, data=there, XDG_STATE_HOME=str(tmp_path))
    assert (reading.status, reading.output["reason"] != "") == ("completed", True)
    assert [row["workflow"] for row in said.data] == ["inventory.check_stock"]
    assert "has ended" in ended.err
    assert "carries no key" in stranger.err
    async with Dirigent(settings=settings) as engine:
        assert (await engine.run(definition)).output == "ask by phone"


def test_an_agent_without_a_documented_port(tmp_path: Path) -> None:
    """It has to be told where to listen."""
    said = dirigent("agent", "serve", "lead_scorer", data=tmp_path, HOME=str(tmp_path))
    assert said.code == 2
    assert "No port is documented for 'lead_scorer'" in said.err
    assert "--port" in said.err


def test_the_documented_port_is_the_default(tmp_path: Path) -> None:
    """Without --port a printed agent listens where it is printed; here somebody else does so already."""
    with closing(socket.socket()) as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind(("127.0.0.1", 8084))
        taken.listen()
        said = dirigent("agent", "serve", "notifier", data=tmp_path, DIRIGENT_AGENT_KEY=KEY)
    assert said.code == 2
    assert "127.0.0.1:8084 cannot be listened on" in said.err


def test_mistakes_of_serving(tmp_path: Path) -> None:
    """An agent that is not there, a module that is none, a server for everybody without a key."""
    unknown = dirigent("agent", "serve", "notifyer", data=tmp_path)
    assert (unknown.code, "Notifier" in unknown.err) == (2, True)
    missing = dirigent("agent", "serve", "x", "--from", "nowhere:Nobody", data=tmp_path)
    assert "nowhere:Nobody cannot be loaded" in missing.err
    no_agent = dirigent("agent", "serve", "x", "--from", "json:dumps", data=tmp_path)
    assert "json:dumps is no agent" in no_agent.err
    open_to_all = dirigent("agent", "serve", "notifier", "--host", "0.0.0.0", data=tmp_path)
    assert "has no key" in open_to_all.err
    assert not (tmp_path / "journal.db").exists()


def test_a_new_key() -> None:
    """Each is another, and can be used."""
    first, second = (dirigent("agent", "key", "-o", "json").data["key"] for _ in range(2))
    assert first != second
    assert read_settings(environment={"DIRIGENT_AGENT_KEY": f"{first} {second}"}).agent_keys
