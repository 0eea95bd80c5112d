"""`DIRIGENT_AGENTS`: agents of one's own, known to every command."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest

from dirigent import Dirigent
from dirigent.settings import read_settings
from tests.acceptance.terminal import dirigent

GREETER = '''\
from dirigent import Context, Effect, Risk, action, agent


@agent("greeter", domain="demo", description="Greets people.")
class Greeter:
    @action(risk=Risk.R0, effect=Effect.PURE)
    async def greet(self, name: str, ctx: Context) -> str:
        """Greet."""
        return f"Hello {name}"
'''
HELLO = """\
name: hello
steps:
  - {id: hello, type: agent, agent_type: greeter, action: greet, parameters: {name: "${input.name}"}}
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to work in, with a module of agents (under a name of its own) and a workflow that asks one."""
    (tmp_path / f"agents_{tmp_path.name}.py").write_text(GREETER)
    (tmp_path / "hello.yaml").write_text(HELLO)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path


def test_every_command_knows_the_agents_that_are_named(folder: Path) -> None:
    """Checking, running, looking and rehearsing take them like those that come along."""
    named = f"agents_{folder.name}:Greeter"
    unknown = dirigent("run", "hello.yaml", "-i", "name=Ann")
    assert (unknown.code, "DIRIGENT_AGENTS" in unknown.err) == (2, True)
    assert dirigent("validate", "hello.yaml", DIRIGENT_AGENTS=named).code == 0
    done = dirigent("run", "hello.yaml", "-i", "name=Ann", "-o", "json", DIRIGENT_AGENTS=named)
    assert (done.code, done.data["output"]) == (0, "Hello Ann")
    assert "greeter.greet" in dirigent("agents", "greeter", DIRIGENT_AGENTS=named).out
    played = dirigent("simulate", "hello.yaml", "-i", "name=Ann", "--runs", "3", DIRIGENT_AGENTS=named)
    assert (played.code, "not registered" in played.out) == (0, False)


def test_the_log_names_the_line_that_failed(folder: Path) -> None:
    """What an agent raises is told with the step; the lines of its code are in the log, without values."""
    module = folder / f"agents_{folder.name}.py"
    module.write_text(GREETER.replace('return f"Hello {name}"', "return {}[name]"))
    said = dirigent("run", "hello.yaml", "-i", "name=Ann", DIRIGENT_AGENTS=f"agents_{folder.name}:Greeter")
    assert (said.code, "agent_error" in said.out) == (1, True)
    (line,) = [
        line
        for line in (folder / ".dirigent" / "dirigent.log").read_text().splitlines()
        if "agent.fail" in line
    ]
    assert f"{module}:9 in greet" in line
    assert "Ann" not in line


def test_an_agent_that_cannot_be_loaded_is_said(folder: Path) -> None:
    """A name that leads nowhere and a module that fails of itself are told with what to do."""
    (folder / f"broken_{folder.name}.py").write_text("print(nothing)\n")
    for named, why in (
        ("nowhere:Greeter", "No module named 'nowhere'"),
        (f"agents_{folder.name}:Greter", "has no attribute 'Greter'"),
        (f"broken_{folder.name}:Greeter", "NameError: name 'nothing' is not defined"),
        ("greeter", "'greeter' names no agent"),
    ):
        said = dirigent("run", "hello.yaml", DIRIGENT_AGENTS=named)
        assert (said.code, why in said.err, "fix:" in said.err) == (2, True, True)


def test_a_program_may_name_what_the_environment_names(folder: Path) -> None:
    """The same class, handed in and named, is one agent."""
    greeter = importlib.import_module(f"agents_{folder.name}").Greeter
    settings = read_settings({"DIRIGENT_AGENTS": f"agents_{folder.name}:Greeter"})
    system = Dirigent(agents=[greeter], settings=settings)
    assert "greeter" in [spec.key for spec in system.registry.specs()]
