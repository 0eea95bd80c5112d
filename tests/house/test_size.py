"""The ratchet: sizes and shapes that hold from the first commit on.

Complexity is ruff's (C901), layering is import-linter's. What neither can say stands here.
"""

import ast
import statistics
from collections.abc import Iterator
from pathlib import PurePosixPath

import pytest

from tests.house.source import Module, calls_of_open, functions, imports_in_functions, length, modules

FUNCTION_LINES_MAX = 70
FILE_LINES_MAX = 500
INTERPRETER_FILE_LINES_MAX = 400
FUNCTION_LINES_MEDIAN_MAX = 10

MEANINGLESS_NAMES = {"utils", "util", "helpers", "helper", "common", "manager", "managers", "misc", "base2"}

# Lazy extras, lazy commands, and the one module that wires everything.
LATE_IMPORTS_ALLOWED = ("integrations/", "cli/", "bootstrap/", "api/")
LATE_IMPORTS_OF_AGENTS = {"numpy", "scipy", "sklearn"}

# What is too long today, as "path" or "path::function" -> lines. This list may only shrink: an entry gives
# today's length exactly, so that whatever got shorter is lowered here, and whatever fits is struck off.
EXCEPTIONS: dict[str, int] = {}


def file_limit(module: Module) -> int:
    return INTERPRETER_FILE_LINES_MAX if module.within("interpreter/") else FILE_LINES_MAX


def too_long(files: tuple[Module, ...]) -> Iterator[tuple[str, int, int]]:
    """Everything above its limit, as name, lines and limit."""
    for module in files:
        if module.lines > file_limit(module):
            yield module.path, module.lines, file_limit(module)
        for name, function in functions(module.tree):
            if length(function) > FUNCTION_LINES_MAX:
                yield f"{module.path}::{name}", length(function), FUNCTION_LINES_MAX


def late_imports(files: tuple[Module, ...]) -> Iterator[str]:
    """Every import inside a function where imports belong at the top."""
    for module in files:
        if module.within(*LATE_IMPORTS_ALLOWED):
            continue
        for line, name in imports_in_functions(module):
            if not (module.within("agents/") and name.partition(".")[0] in LATE_IMPORTS_OF_AGENTS):
                yield f"src/{module.path}:{line} imports {name} inside a function"


def meaningless_names(files: tuple[Module, ...]) -> Iterator[str]:
    """Every file or folder whose name says nothing."""
    for module in files:
        for part in PurePosixPath(module.path).with_suffix("").parts:
            if part.strip("_") in MEANINGLESS_NAMES:
                yield f"src/{module.path}: call it after what it does"


def test_nothing_is_too_long() -> None:
    """Functions and files keep to their limits, save for what the shrinking list names."""
    new = [
        f"src/{name} has {lines} lines, the limit is {limit}"
        for name, lines, limit in too_long(modules())
        if name not in EXCEPTIONS
    ]
    assert not new, "\n".join(new)


def test_exceptions_only_shrink() -> None:
    """An exception gives today's length; what grew fails, what shrank is lowered, what fits is struck off."""
    today = {name: lines for name, lines, _ in too_long(modules())}
    wrong = [
        f"{name}: listed with {listed} lines, now {today.get(name, 'within its limit')}"
        for name, listed in EXCEPTIONS.items()
        if today.get(name) != listed
    ]
    assert not wrong, "\n".join(wrong)


def test_functions_are_short_in_the_middle(capsys: pytest.CaptureFixture[str]) -> None:
    """Half of all functions have ten lines or fewer."""
    lengths = sorted(length(function) for module in modules() for _, function in functions(module.tree))
    if len(lengths) < 2:
        return
    median, p90 = statistics.median(lengths), statistics.quantiles(lengths, n=10)[-1]
    with capsys.disabled():
        print(
            f"\n{len(modules())} files, {sum(m.lines for m in modules())} lines, {len(lengths)} functions: "
            f"median {median:g}, p90 {p90:.0f}, longest {lengths[-1]} lines"
        )
    assert median <= FUNCTION_LINES_MEDIAN_MAX


def test_imports_stand_at_the_top() -> None:
    """An import inside a function hides a dependency, or a cycle."""
    found = list(late_imports(modules()))
    assert not found, "\n".join(found)


def test_names_say_something() -> None:
    """No module is called after nothing."""
    found = list(meaningless_names(modules()))
    assert not found, "\n".join(found)


def test_domain_and_interpreter_open_no_file() -> None:
    """What decides is handed its text; it does not fetch it."""
    found = [
        f"src/{module.path}:{line}"
        for module in modules()
        if module.within("domain/", "interpreter/")
        for line in calls_of_open(module)
    ]
    assert not found, "\n".join(found)


def planted(path: str, text: str) -> tuple[Module, ...]:
    return (Module(path=path, lines=len(text.splitlines()), tree=ast.parse(text)),)


def test_the_ratchet_bites() -> None:
    """Each rule finds the fault it is there for, and lets through what it allows."""
    long = "def f():\n" + "    x = 1\n" * 70
    late = "def f():\n    import sklearn.linear_model\n"
    assert list(too_long(planted("dirigent/engine.py", long))) == [("dirigent/engine.py::f", 71, 70)]
    assert list(too_long(planted("dirigent/interpreter/steps.py", "x = 1\n" * 401)))
    assert not list(too_long(planted("dirigent/engine.py", "x = 1\n" * 401)))
    assert list(late_imports(planted("dirigent/engine.py", late)))
    assert not list(late_imports(planted("dirigent/agents/crm/scorer.py", late)))
    assert list(late_imports(planted("dirigent/agents/crm/scorer.py", late.replace("sklearn", "dirigent"))))
    assert list(meaningless_names(planted("dirigent/api/utils.py", "")))
    assert list(calls_of_open(planted("dirigent/domain/ids.py", "open('x')")[0])) == [1]
