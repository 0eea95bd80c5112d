"""The guide to workflow files is true: every block is loaded or run, and every code it names is there."""

from __future__ import annotations

import ast
import inspect
import re
import shlex
from pathlib import Path

import pytest

from dirigent import Dirigent
from dirigent.api.app import create_app
from dirigent.domain.errors import InvalidDefinition
from dirigent.execution import gates
from dirigent.intake.workflows import inspect_written
from dirigent.interpreter import beginning, durations, expression, positions
from dirigent.interpreter.loading import Inspected
from dirigent.interpreter.problems import Problem
from dirigent.interpreter.written import (
    ATTEMPTS_MAX,
    BLOCK_DEPTH_MAX,
    ITERATIONS_MAX,
    PARALLEL_MAX,
    STEPS_MAX,
)
from dirigent.settings import read_settings
from tests.acceptance.terminal import dirigent as command
from tests.acceptance.wire import client_of

GUIDE = Path(__file__).parents[2] / "docs" / "workflows.md"
TEXT = GUIDE.read_text(encoding="utf-8")
BLOCK = re.compile(
    r"^```(?P<language>\w+)(?: (?P<info>[^\n]*))?\n(?P<code>.*?)^```$", re.MULTILINE | re.DOTALL
)
BLOCKS = [
    (TEXT.count("\n", 0, found.start()) + 1, found["language"], found["info"] or "", found["code"])
    for found in BLOCK.finditer(TEXT)
]
FILES = {info.removeprefix("file="): code for _, _, info, code in BLOCKS if info.startswith("file=")}
EXIT = re.compile(r"#.*\bexit (\d)")


def blocks(language: str, *kinds: str) -> list[object]:
    """The blocks of a language, of some kinds only, with their lines for the names of tests."""
    return [
        pytest.param(code, info, id=f"line {line}")
        for line, found, info, code in BLOCKS
        if found == language and (not kinds or info.partition("=")[0] in kinds)
    ]


def inspected(text: str, folder: Path) -> Inspected:
    return inspect_written(text, Dirigent(folder).registry)


def codes(problems: object) -> set[str]:
    assert isinstance(problems, tuple)
    return {problem.code for problem in problems if isinstance(problem, Problem)}


def test_every_block_is_of_a_kind_that_is_tested() -> None:
    """No block says something that nobody checks."""
    for line, language, info, _ in BLOCKS:
        kind = info.partition("=")[0]
        assert (language, kind) in {
            ("yaml", "file"),
            ("yaml", "steps"),
            ("yaml", "wrong"),
            ("yaml", "advice"),
            ("sh", ""),
            ("http", "status"),
            ("python", ""),
        }, f"docs/workflows.md:{line}"
    assert len(BLOCKS) >= 20


@pytest.mark.parametrize(("code", "info"), blocks("yaml", "file"))
def test_files_load_without_mistake_and_without_advice(code, info, tmp_path) -> None:
    """What a reader copies is as good as it gets."""
    assert codes(inspected(code, tmp_path).warnings) == set(), info


@pytest.mark.parametrize(("code", "info"), blocks("yaml", "steps"))
def test_steps_load_and_deserve_no_advice(code, info, tmp_path) -> None:
    """The steps of one type, put into a workflow; that nobody reads the last of them is for brevity."""
    indented = "".join(f"  {line}\n" for line in code.splitlines())
    assert codes(inspected(f"name: guide\nsteps:\n{indented}", tmp_path).warnings) <= {"WL008"}, info


@pytest.mark.parametrize(("code", "info"), blocks("yaml", "wrong"))
def test_wrong_files_have_the_mistakes_that_they_show(code, info, tmp_path) -> None:
    """Exactly the codes that the block names."""
    with pytest.raises(InvalidDefinition) as caught:
        inspected(code, tmp_path)
    assert codes(caught.value.problems) == set(info.partition("=")[2].split(","))


@pytest.mark.parametrize(("code", "info"), blocks("yaml", "advice"))
def test_advice_is_given_where_the_guide_shows_it(code, info, tmp_path) -> None:
    """Exactly the codes that the block names."""
    assert codes(inspected(code, tmp_path).warnings) == set(info.partition("=")[2].split(","))


def test_commands_do_what_is_written_beside_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All commands in their order, in a folder with the guide's files; `# exit 2` says what is meant."""
    for name, code in FILES.items():
        (tmp_path / name).write_text(code)
    monkeypatch.chdir(tmp_path)
    ran = 0
    for line, language, _, code in BLOCKS:
        for written in code.splitlines() if language == "sh" else ():
            words = shlex.split(written, comments=True)
            expected = EXIT.search(written)
            assert words[0] == "dirigent", f"docs/workflows.md:{line}"
            said = command(*words[1:], data=tmp_path / "data" if words[1] != "explain" else None)
            assert said.code == (int(expected[1]) if expected else 0), (written, said.err)
            ran += 1
    assert ran >= 8


async def test_requests_are_answered_as_they_say(tmp_path: Path) -> None:
    """All requests in their order, to a server over an empty folder."""
    settings = read_settings(environment={}, folder=tmp_path, data_folder=tmp_path / "data")
    requests = [(code, info) for _, language, info, code in BLOCKS if language == "http"]
    async with Dirigent(settings=settings) as dirigent, client_of(create_app(dirigent.services())) as http:
        for code, info in requests:
            head, _, body = code.partition("\n\n")
            first, *lines = head.splitlines()
            method, path = first.split(" ")
            headers = dict(line.split(": ", 1) for line in lines)
            answer = await http.request(method, path, headers=headers, content=body.encode())
            assert f"status={answer.status_code}" == info, (first, answer.text)
    assert len(requests) >= 4


@pytest.mark.parametrize(("code", "info"), blocks("python"))
async def test_python_runs(code, info, tmp_path, monkeypatch) -> None:
    """Every block of Python, at the top level of a coroutine, in an empty folder."""
    monkeypatch.chdir(tmp_path)
    for name in ("DIRIGENT_DATA", "DIRIGENT_CONFIG", "DIRIGENT_TENANT"):
        monkeypatch.delenv(name, raising=False)
    compiled = compile(code, "<guide>", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    running = eval(compiled, {"__name__": "guide"})  # noqa: S307  # the blocks are ours
    if inspect.iscoroutine(running):
        await running


def test_every_link_inside_the_guide_leads_to_a_heading() -> None:
    """The table of contents names what is there."""
    headings = {
        re.sub(r"[^\w-]+", "-", heading.lower()).strip("-")
        for heading in re.findall(r"^#+ (.+)$", TEXT, re.MULTILINE)
    }
    links = set(re.findall(r"\]\(#([^)]+)\)", TEXT))
    assert links <= headings, links - headings


def test_the_limits_of_the_guide_are_those_of_the_code() -> None:
    """Every number of the table, as it is written in the code."""
    told = dict(re.findall(r"^\| (.+?) \| ([\d,]+)", TEXT.partition("## Limits")[2], re.MULTILINE))
    assert {what: int(number.replace(",", "")) for what, number in told.items()} == {
        "the text of a definition": positions.BYTES_MAX // 1024,
        "steps": STEPS_MAX,
        "nesting": positions.DEPTH_MAX,
        "an expression": expression.MAX_LENGTH,
        "items of a `foreach`": beginning.FANOUT_MAX,
        "times round a `loop`": ITERATIONS_MAX,
        "blocks inside blocks": BLOCK_DEPTH_MAX,
        "workflows that start each other": gates.DEPTH_MAX,
        "attempts of a step": ATTEMPTS_MAX,
        "a wait or time limit": durations.LONGEST_MS // (24 * 3600 * 1000),
    }
    assert f"at once {PARALLEL_MAX}" in TEXT
