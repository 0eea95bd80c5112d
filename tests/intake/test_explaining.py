"""Every code is explained, and its examples are true: one gives the code, the other does not."""

from __future__ import annotations

import textwrap
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from dirigent import Dirigent, action, agent
from dirigent.domain.errors import DirigentError, InvalidDefinition, NotFound
from dirigent.intake.explaining import explain_code, explanations
from dirigent.intake.workflows import inspect_written
from dirigent.interpreter.positions import BYTES_MAX
from dirigent.settings import read_settings
from tests.acceptance.terminal import dirigent as command

EVERY = explanations()
BESIDE = {"WL003": {"WL004"}}  # a step never runs because a condition never holds
OF_FILES = [code for code, told in EVERY.items() if told.kind != "error"]
OF_ERRORS = [code for code, told in EVERY.items() if told.kind == "error"]


@agent("mailer", domain="demo", description="The agent of the examples, who declares nothing.")
class Mailer:
    @action()
    async def send(self, to: str) -> str:
        return to


@pytest.fixture
async def opened(tmp_path: Path) -> AsyncIterator[Dirigent]:
    settings = read_settings(environment={}, folder=tmp_path, data_folder=tmp_path / "data")
    async with Dirigent(settings=settings, agents=[Mailer]) as dirigent:
        yield dirigent


def codes_of(text: str, tmp_path: Path) -> set[str]:
    """Every code that a workflow text gets, mistakes and advice."""
    text = text.replace("(256 KB of comment)", "x" * BYTES_MAX)
    registry = Dirigent(tmp_path, agents=[Mailer]).registry
    try:
        return {warning.code for warning in inspect_written(text, registry).warnings}
    except InvalidDefinition as error:
        return {problem.code for problem in error.problems}  # type: ignore[attr-defined]


def new_folder(tmp_path: Path) -> Path:
    """An empty folder."""
    folder = tmp_path / f"folder{len(list(tmp_path.iterdir()))}"
    folder.mkdir()
    return folder


async def code_of(snippet: str, names: dict[str, Any]) -> str:
    """The code that Python raises, or with which the step or run it reads has ended."""
    source = (
        f"async def example():\n    reading = None\n{textwrap.indent(snippet, '    ')}\n    return reading\n"
    )
    exec(compile(source, "<example>", "exec"), names)  # noqa: S102  # the examples are ours
    try:
        reading = await names["example"]()
    except DirigentError as error:
        return error.code
    return reading.error.code if reading is not None and reading.error is not None else ""


@pytest.mark.parametrize("code", EVERY)
def test_every_code_says_something(code) -> None:
    """A summary, a reason and both examples."""
    told = EVERY[code]
    assert told.summary.endswith((".", ":")) or " " in told.summary
    assert len(told.why) > 40, f"{code} has no entry under src/dirigent/intake/explanations"
    assert told.wrong.strip()
    assert told.right.strip()


@pytest.mark.parametrize("code", OF_FILES)
def test_the_examples_of_files_are_true(code, tmp_path) -> None:
    """The wrong file gets this code and no other; the right one is without mistake and without advice."""
    assert codes_of(EVERY[code].wrong, tmp_path) == {code} | BESIDE.get(code, set())
    assert codes_of(EVERY[code].right, tmp_path) == set()


@pytest.mark.parametrize("code", OF_ERRORS)
async def test_the_examples_of_errors_are_true(code, opened, tmp_path) -> None:
    """The wrong Python ends with this code, the right one without an error."""
    assert await code_of(EVERY[code].right, {"dirigent": opened, "folder": new_folder(tmp_path)}) == ""
    found = await code_of(EVERY[code].wrong, {"dirigent": opened, "folder": new_folder(tmp_path)})
    assert explain_code(found).code == code


def test_no_explanation_is_left_over() -> None:
    """An entry for a code that nobody gives would never be found."""
    assert {"WF001", "WF023", "WL001", "invalid_input", "journal_damaged"} <= set(EVERY)
    assert "error" not in EVERY


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        ("wf018", "WF018"),
        (" WL001 ", "WL001"),
        ("CONFLICT", "conflict"),
        ("execution_not_found", "not_found"),
    ],
)
def test_codes_are_found_as_people_write_them(asked, code) -> None:
    """Case does not matter; what was looked for and not found shares one explanation."""
    assert explain_code(asked).code == code


def test_an_unknown_code_names_the_nearest() -> None:
    """A code that does not exist is not found, with codes close to it."""
    with pytest.raises(NotFound, match="Did you mean 'conflict'"):
        explain_code("conflikt")


def test_the_command_explains() -> None:
    """`dirigent explain CODE` tells why, with both examples; without a code it lists all."""
    said = command("explain", "WF013")
    assert said.code == 0
    assert "duration: 5 minutes" in said.out
    assert "duration: 5m" in said.out
    assert [one["code"] for one in command("explain", "-o", "json").data] == list(EVERY)
    assert command("explain", "WL003", "-o", "json").data["kind"] == "warning"
    listed = command("explain")
    assert "WF001" in listed.out
    assert "journal_damaged" in listed.out
    unknown = command("explain", "WF999")
    assert unknown.code == 2
    assert "There is no code 'WF999'" in unknown.err
