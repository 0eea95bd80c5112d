"""`--help` of every command: what it does, its options, and examples that are command lines."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
from cyclopts import App

from dirigent.cli.main import COMMANDS, build_app
from tests.acceptance.terminal import dirigent

ROOT = Path(__file__).parents[2]


def commands(app: App, above: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], App]]:
    """Every command and every group of commands, with the words that lead to it."""
    for name in app:
        if not name.startswith("-"):
            words = (*above, name)
            yield words, app[name]
            yield from commands(app[name], words)


APP = build_app()
EVERY = dict(commands(APP))
EXAMPLES = [
    line.strip()
    for app in EVERY.values()
    for line in str(app.help_epilogue).splitlines()
    if line.startswith("  dirigent ")
]


@pytest.mark.parametrize("words", EVERY, ids=" ".join)
def test_help_has_an_example(words: tuple[str, ...]) -> None:
    """Every command explains itself, with an example, and with the options that all have."""
    said = dirigent(*words, "--help")
    assert said.code == 0
    assert f"  dirigent {' '.join(words)}" in said.out
    if EVERY[words].default_command is not None:
        assert "--data" in said.out
        assert "--output" in said.out


@pytest.mark.parametrize("example", sorted(set(EXAMPLES)))
def test_an_example_is_a_command_line(example: str) -> None:
    """Its commands and options are there, its values are of their type, and so are its files."""
    words = shlex.split(example.partition(" >")[0])[1:]
    command, bound, _ = APP.parse_args(words, exit_on_error=False, print_error=False)
    assert command.__module__.startswith("dirigent.cli.commands")
    assert bound.arguments or len(words) <= 2
    for word in words:
        if "examples/" in word:
            assert list(ROOT.glob(word.lstrip("@"))), f"{word} is not there"


def test_a_wrong_example_would_be_seen() -> None:
    """The check fails on what it is there for."""
    with pytest.raises(Exception, match="--colour"):
        APP.parse_args(["ls", "--colour", "red"], exit_on_error=False, print_error=False)


def test_help_lists_the_commands() -> None:
    """Without a command the list of commands is shown."""
    said = dirigent()
    assert said.code == 0
    assert all(f" {entry[1]} " in said.out for entry in COMMANDS)
    assert dirigent("--version").out.strip() == "0.1.0"
