"""`dirigent` as a process: signals, pipes, and a server that holds the data folder."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from urllib.request import Request, urlopen

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from dirigent.cli.server import listening
from dirigent.storage.sqlite.lock import Holder, describe
from tests.acceptance.terminal import DORMANT, TENANT, dirigent, write_books, write_goal

# What a shell runs in the background is deaf to Ctrl-C, and so is all that it starts.
HEARING = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)"
COMMAND = [
    sys.executable,
    "-X",
    "faulthandler",
    "-c",
    f"{HEARING}; from dirigent.cli.main import main; main()",
]
EXAMPLES = Path(__file__).parents[2] / "examples" / "workflows"
WAIT_SECONDS_MAX = 60.0
JSON = {"content-type": "application/json"}
SLOW = """\
workflow:
  name: slow
  steps:
    - {id: nap, type: wait, duration: 1h}
"""
GREETING = """\
# greets
name: Say Hello
triggers: [{type: event, event_type: guest.came}]
steps:
  - {id: a, type: transform, parameters: {text: Hello}}
"""


def _start(*arguments: object, data: Path, **environment: str) -> subprocess.Popen[str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("DIRIGENT_", "PORT"))}
    return subprocess.Popen(
        [*COMMAND, *map(str, arguments), "--data", str(data)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**kept, **environment},
    )


def _wait_until_started(data: Path) -> None:
    """Return when there is an execution, seen from outside."""
    deadline = time.monotonic() + WAIT_SECONDS_MAX
    while time.monotonic() < deadline:
        rows = dirigent("ls", "-o", "json", data=data)
        if rows.code == 0 and rows.data:
            return
    raise AssertionError("nothing was started")


def _ended(process: subprocess.Popen[str]) -> tuple[str, str]:
    """What a process said until its end; one that does not end says where it stands."""
    try:
        return process.communicate(timeout=WAIT_SECONDS_MAX)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGABRT)
        _, err = process.communicate()
        raise AssertionError(f"it did not end:\n{err}") from None


@contextmanager
def _served(data: Path, **environment: str) -> Iterator[Holder]:
    process = _start("serve", "--port", "0", data=data, **environment)
    try:
        deadline = time.monotonic() + WAIT_SECONDS_MAX
        holder = None
        while not (holder and holder.url) and time.monotonic() < deadline and process.poll() is None:
            holder = describe(data) if data.is_dir() else None
        assert holder is not None, process.communicate()
        yield holder
    finally:
        process.send_signal(signal.SIGTERM)
        out, err = _ended(process)
    assert process.returncode == 0, err
    assert "Stopped." in out


@pytest.fixture(scope="module")
def books(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of CSV files."""
    return write_books(tmp_path_factory.mktemp("books"))


def test_ctrl_c_leaves_a_run_that_goes_on(tmp_path: Path) -> None:
    """Ctrl-C is exit code 130 with the way to go on; the run is there and is taken up again."""
    file, data = tmp_path / "slow.yaml", tmp_path / "data"
    file.write_text(SLOW)
    process = _start("run", file, data=data)
    _wait_until_started(data)
    process.send_signal(signal.SIGINT)
    _, err = _ended(process)
    assert process.returncode == 130
    assert "dirigent resume" in err
    assert "Traceback" not in err
    [row] = dirigent("ls", "-o", "json", data=data).data
    assert row["status"] == "running"
    assert describe(data) is None
    assert dirigent("cancel", row["execution_id"], data=data).code == 0


def test_a_killed_goal_is_taken_up(books: Path, tmp_path: Path) -> None:
    """After kill -9 the same command attaches to the run instead of starting a second one."""
    data = tmp_path / "data"
    dirigent("import", books, "--org", TENANT, data=data)
    goal = write_goal(tmp_path)
    process = _start("goal", "run", goal, data=data)
    _wait_until_started(data)
    process.kill()
    process.communicate()
    [row] = dirigent("ls", "-o", "json", data=data).data
    assert f"dirigent resume {row['execution_id']}" in dirigent("show", row["execution_id"], data=data).out
    said = dirigent("goal", "run", goal, "-o", "json", data=data)
    assert said.code == 0, said.err
    assert said.data["approvals"]["open"] == DORMANT
    assert len(dirigent("ls", "-o", "json", data=data).data) == 1


def test_a_reader_who_leaves(tmp_path: Path) -> None:
    """`dirigent ... | head -1` is quiet."""
    dirigent("run", EXAMPLES / "hello.yaml", data=tmp_path)
    for arguments in (("agents",), ("agents", "-o", "json"), ("doctor",)):
        process = _start(*arguments, data=tmp_path)
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == ""
        process.stderr.close()
        assert process.wait(WAIT_SECONDS_MAX) == 0


def test_a_server_says_to_programs_where_it_is(tmp_path: Path) -> None:
    """With `-o json` what it says first is one document, with its address and folder."""
    process = _start("serve", "--port", "0", "-o", "json", data=tmp_path)
    deadline = time.monotonic() + WAIT_SECONDS_MAX
    while not ((holder := describe(tmp_path)) and holder.url) and time.monotonic() < deadline:
        assert process.poll() is None, process.communicate()
    process.send_signal(signal.SIGTERM)
    out, err = _ended(process)
    assert holder is not None, err
    said, _ = json.JSONDecoder().raw_decode(out)
    assert (said["url"], said["data"]) == (holder.url, str(tmp_path.resolve()))


def test_a_socket_of_a_server(tmp_path: Path) -> None:
    """What another command has it do is told over its WebSocket, which is closed when the server stops."""
    file, data = tmp_path / "slow.yaml", tmp_path / "data"
    file.write_text(SLOW)
    assert dirigent("workflow", "save", file, data=data).code == 0
    with ExitStack() as client:
        with _served(data) as holder:
            address = holder.url.replace("http://", "ws://")
            follower = client.enter_context(connect(f"{address}/ws?channels=executions", proxy=None))
            assert json.loads(follower.recv(WAIT_SECONDS_MAX))["type"] == "hello"
            urlopen(Request(f"{holder.url}/api/v1/workflows/slow/execute", b"{}", JSON)).close()
            told = [json.loads(follower.recv(WAIT_SECONDS_MAX)) for _ in range(2)]
            assert [message["type"] for message in told] == ["execution.started", "step.waiting"]
        with pytest.raises(ConnectionClosed):
            follower.recv(WAIT_SECONDS_MAX)
        assert follower.close_code == 1012


def test_beside_a_server(books: Path, tmp_path: Path) -> None:
    """While a server holds the folder, commands that act go through it, and the others read beside it."""
    data, goal = tmp_path / "data", write_goal(tmp_path)
    dirigent("import", books, "--org", TENANT, data=data)
    with _served(data) as holder:
        ran = dirigent("goal", "run", goal, data=data)
        assert ran.code == 0, ran.err
        assert f"{holder.url} holds" in ran.out
        assert f"{DORMANT} held" in ran.out
        assert dirigent("goal", "run", goal, data=data).out.count("Nothing new to do") == 1
        [row] = dirigent("ls", "-o", "json", data=data).data
        first, second, *_ = dirigent("approvals", "-o", "json", data=data).data
        assert dirigent("reject", first["approval_id"], "--comment", "no", data=data).code == 0
        held = dirigent("approve", second["approval_id"], "--allow-delivery", data=data)
        assert held.code == 1
        assert "delivery is off" in held.err
        assert "dirigent serve --allow-delivery" in held.err
        assert dirigent("approve", first["approval_id"], data=data).code == 1
        assert dirigent("cancel", "nope", data=data).code == 2
        assert dirigent("cancel", row["execution_id"], data=data).code == 0
        other = dirigent("serve", "--port", "0", data=data)
        assert other.code == 3
        assert holder.url in other.err
    assert describe(data) is None


def test_workflows_run_beside_a_server(tmp_path: Path) -> None:
    """`run` goes through the server and shows the same; mistakes are told as they would be here."""
    data, alone = tmp_path / "data", tmp_path / "alone"
    hello, wrong, ask = EXAMPLES / "hello.yaml", tmp_path / "wrong.yaml", tmp_path / "ask.yaml"
    wrong.write_text("name: x\nsteps: [{id: a, type: transfrom}]\n")
    ask.write_text("name: ask\nsteps: [{id: ask, type: approval, timeout: 1d}]\n")
    here = dirigent("run", hello, "-i", "name=Ada", "-o", "json", data=alone).data
    with _served(data) as holder:
        ran = dirigent("run", hello, "-i", "name=Ada", "-o", "json", "--org", "org_9", data=data)
        assert ran.code == 0, ran.err
        differing = ("execution_id", "tenant", "started_at", "finished_at", "spent", "steps")
        assert {name: ran.data[name] for name in here if name not in differing} == {
            name: here[name] for name in here if name not in differing
        }
        assert [step["id"] for step in ran.data["steps"]] == [step["id"] for step in here["steps"]]
        assert ran.data["tenant"] == "org_9"
        told = dirigent("run", hello, "-i", "name=Ada", "--autonomy", "L3", "--allow-delivery", data=data)
        assert (told.code, f"{holder.url} holds" in told.out) == (0, True), told.err
        assert "L3 was asked for" in told.err
        assert "dirigent serve --allow-delivery" in told.err
        assert "succeeded" in told.out
        waits = dirigent("run", ask, "-o", "json", data=data, DIRIGENT_ACTOR="ada")
        assert (waits.code, waits.data["status"]) == (0, "awaiting_approval"), waits.err
        started = dirigent("logs", waits.data["execution_id"], "-o", "json", data=data).data[0]
        assert started["passport"]["actor"] == "ada"
        assert {row["trigger"] for row in dirigent("ls", "-o", "json", data=data).data} == {"manual"}
        refused = dirigent("run", wrong, data=data)
        assert refused.code == 2
        assert refused.err == dirigent("run", wrong, data=alone).err
        assert f"{wrong}:2:23 WF010" in refused.err
        assert dirigent("run", tmp_path / "none.yaml", data=data).code == 2
        everything = dirigent("resume", data=data)
        assert (everything.code, "took up what was interrupted" in everything.out) == (0, True)
        assert dirigent("resume", "-o", "json", data=data).data == []


def test_a_run_that_waits_for_a_signal_beside_a_server(tmp_path: Path) -> None:
    """It has come to rest, also where a child of it waits; the signal lets it go on."""
    file, data = tmp_path / "waits.yaml", tmp_path / "data"
    file.write_text("name: waits\nsteps: [{id: paid, type: wait_for_event, event: order.paid}]\n")
    parent = tmp_path / "parent.yaml"
    parent.write_text("name: parent\nsteps: [{id: call, type: subworkflow, workflow: waits}]\n")
    with _served(data):
        assert dirigent("workflow", "save", file, data=data).code == 0
        for one in (file, parent):
            ran = dirigent("run", one, "-o", "json", data=data)
            assert (ran.code, ran.data["status"]) == (0, "running"), ran.err


def test_a_server_that_goes_while_a_run_is_followed(tmp_path: Path) -> None:
    """Whoever follows it is told that nothing is lost and how it goes on; then it does."""
    file, data = tmp_path / "slow.yaml", tmp_path / "data"
    file.write_text(SLOW)
    with _served(data):
        process = _start("run", file, data=data)
        _wait_until_started(data)
    _, err = _ended(process)
    assert process.returncode == 1
    assert "is gone" in err
    assert "dirigent resume" in err
    assert [row["status"] for row in dirigent("ls", "-o", "json", data=data).data] == ["running"]


def test_stored_workflows_beside_a_server(tmp_path: Path) -> None:
    """Saving, putting in force, pausing and taking in go through the server, which knows of it at once."""
    data, other = tmp_path / "data", tmp_path / "other"
    first, second, wrong = tmp_path / "first.yaml", tmp_path / "second.yaml", tmp_path / "wrong.yaml"
    first.write_text(GREETING)
    second.write_text(GREETING.replace("text: Hello", "text: Good day"))
    wrong.write_text("name: x\nsteps: [{id: a, type: transfrom}]\n")
    store = ("workflow",)
    with _served(data):
        said = dirigent(*store, "save", first, "--note", "as it began", data=data)
        assert (said.code, "Say Hello: version 1, new" in said.out) == (0, True), said.err
        assert "known already" in dirigent(*store, "save", first, data=data).out
        assert dirigent(*store, "show", "say-hello", data=data).out == GREETING
        refused = dirigent(*store, "save", second, wrong, data=data)
        assert refused.code == 2
        assert f"{wrong}:2:23 WF010" in refused.err
        [saved] = dirigent(*store, "save", second, "-o", "json", data=data).data
        assert (saved["version"], saved["is_new"]) == (2, True)
        [trigger] = dirigent("trigger", "list", "-o", "json", data=data).data
        assert (trigger["type"], trigger["workflow"]) == ("event", "Say Hello")
        run = (*store, "run", "say-hello", "-o", "json")
        assert dirigent(*run, data=data).data["output"] == {"text": "Good day"}
        rolled = dirigent(*store, "rollback", "say-hello", 1, "--note", "stiff", data=data)
        assert "version 1 of 2 is in force" in rolled.out
        assert dirigent(*run, data=data).data["output"] == {"text": "Hello"}
        assert dirigent(*run, "--version", 2, data=data).data["output"] == {"text": "Good day"}
        again = dirigent(*store, "rollback", "say-hello", 1, data=data)
        assert (again.code, "in force already" in again.err) == (1, True)
        assert "paused" in dirigent(*store, "pause", "say-hello", "--reason", "holidays", data=data).out
        held = dirigent(*run, data=data)
        assert (held.code, "dirigent workflow resume say-hello" in held.err) == (1, True)
        assert dirigent("trigger", "list", "-o", "json", data=data).data == []
        [row] = dirigent(*store, "list", "-o", "json", data=data).data
        assert (row["state"], row["note"]) == ("paused", "holidays")
        resumed = dirigent(*store, "resume", "say-hello", "-o", "json", data=data).data
        assert (resumed["state"], resumed["version"], resumed["versions"]) == ("active", 1, 2)
        unknown = dirigent(*store, "run", "Say Hallo", data=data)
        assert (unknown.code, "Did you mean 'Say Hello'?" in unknown.err) == (2, True), unknown.err
        assert dirigent(*store, "export", tmp_path / "all.zip", data=data).code == 0
    with _served(other):
        taken = dirigent(*store, "import", tmp_path / "all.zip", data=other)
        assert taken.code == 0, taken.err
        versions = dirigent(*store, "versions", "say-hello", "-o", "json", data=other).data
        assert (versions["in_force"], len(versions["versions"])) == (1, 2)
        assert dirigent(*store, "import", tmp_path / "all.zip", data=other).out.count("known already") == 2


def test_events_beside_a_server(tmp_path: Path) -> None:
    """Events, triggers and connectors go through the server; what it refuses is told as it would be here."""
    data = tmp_path / "data"
    dirigent("workflow", "save", EXAMPLES / "daily_report.yaml", data=data)
    surroundings = {"DIRIGENT_CONNECTORS": str(EXAMPLES.parent / "connectors")}
    with _served(data, **surroundings):
        event = ("event", "publish", "--type", "report.requested", "--id", "e1", "-i")
        assert "started or woke exec_" in dirigent(*event, "day=monday", data=data).out
        again = dirigent(*event, "day=monday", "-o", "json", data=data).data
        assert (again["duplicate"], again["triggered"]) == (True, [])
        assert "another event 'e1'" in dirigent(*event, "day=tuesday", data=data).err
        shown = dirigent("trigger", "list", "-o", "json", data=data).data
        (trigger,) = (one["id"] for one in shown if one["type"] == "event")
        assert "is paused" in dirigent("trigger", "pause", trigger, "--reason", "loud", data=data).out
        refused = dirigent("trigger", "fire", trigger, "-i", "day=x", data=data)
        assert refused.code == 1
        assert "the trigger is paused" in refused.err
        assert "fix: Resume it first." in refused.err
        assert "is at work" in dirigent("trigger", "resume", trigger, data=data).out
        assert "started exec_" in dirigent("trigger", "fire", trigger, "-i", "day=x", data=data).out
        unknown = dirigent("trigger", "fire", "none", data=data)
        assert (unknown.code, "fix:" in unknown.err) == (2, True)
        polled = dirigent("connector", "poll", "crm", "--again", "-o", "json", data=data, **surroundings)
        assert polled.data["taken"] + polled.data["known"] == 2, polled.err
        assert dirigent("connector", "poll", "shop", data=data).code == 2


def test_operating_beside_a_server(tmp_path: Path) -> None:
    """What an operator asks of a run is asked of the server; its refusals are told as they would be here."""
    file, data = tmp_path / "waits.yaml", tmp_path / "data"
    file.write_text(
        "workflow: {name: waits, steps: [{id: paid, type: wait_for_event, event: order.paid},"
        " {id: thank, type: emit, event: thanks.said}]}"
    )
    run = dirigent("run", file, "-o", "json", data=data).data["execution_id"]
    with _served(data):
        assert dirigent("pause", run, "-o", "json", data=data).data["status"] == "paused"
        assert "dirigent resume" in dirigent("show", run, data=data).out
        assert dirigent("resume", run, data=data).code == 0
        told = dirigent("signal", run, "order.paid", "-i", "sum=49", data=data)
        assert told.code == 0, told.err
        deadline = time.monotonic() + WAIT_SECONDS_MAX
        while dirigent("show", run, "-o", "json", data=data).data["status"] != "completed":
            assert time.monotonic() < deadline
        fork = dirigent("fork", run, "--at", "thank", "--edit", "paid=7", "-o", "json", data=data)
        assert (fork.code, fork.data["forked_from"]) == (0, run), fork.err
        wrong = dirigent("fork", run, "--at", "nine", data=data)
        assert wrong.code == 2
        assert "nine" in wrong.err
        assert "Fork it" in dirigent("retry", run, data=data).err
        unclear = dirigent("resolve", run, "thank", "--happened", data=data)
        assert "does not wait for its outcome" in unclear.err


def test_a_server_is_stopped_as_soon_as_it_is_known(tmp_path: Path) -> None:
    """Whoever reads its address may stop it in the same moment: it closes its folder, exit code 0."""
    for number in range(3):
        with _served(tmp_path / f"data{number}"):
            pass


def test_no_answer_waits_for_an_acknowledgement() -> None:
    """A connection sends what it has at once; else each answer on one that is kept takes 40 ms."""
    with listening("127.0.0.1", 0) as listener, socket.create_connection(listener.getsockname()):
        accepted, _ = listener.accept()
        with accepted:
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) != 0


def test_a_port_that_is_taken(tmp_path: Path) -> None:
    """A second server on the same port is told so, with the option to change."""
    with _served(tmp_path / "one") as holder:
        port = holder.url.rpartition(":")[2]
        said = dirigent("serve", "--port", port, data=tmp_path / "two")
    assert said.code == 2
    assert "Address already in use" in said.err
    assert "--port" in said.err
