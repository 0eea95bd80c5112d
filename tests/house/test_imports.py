"""Starting is cheap: what a command does not need, it does not load."""

import ast
import resource
import subprocess
import sys

import pytest

from tests.house.source import ROOT, Module, modules

IMPORT_CPU_SECONDS_MAX = 0.35
NOT_FOR_HELP = {"fastapi", "uvicorn", "starlette", "sklearn", "numpy", "openai", "pydantic_ai"}

HELP = """
import sys
sys.argv = ["dirigent", "--help"]
from dirigent.cli.main import main
try:
    main()
except SystemExit as end:
    assert not end.code, end.code
print("LOADED", *sorted({name.partition(".")[0] for name in sys.modules}))
"""


def cpu_seconds(code: str) -> float:
    """Processor time one fresh interpreter takes for some code, its own start included."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-c", code], check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (after.ru_utime + after.ru_stime) - (before.ru_utime + before.ru_stime)


def test_importing_the_package_is_cheap() -> None:
    """`import dirigent` stays below a third of a second, so that every command and test starts at once."""
    best = min(cpu_seconds("import dirigent") for _ in range(3))
    assert best < IMPORT_CPU_SECONDS_MAX, f"import dirigent took {best:.2f} s CPU"


@pytest.mark.skipif(not (ROOT / "src/dirigent/cli/main.py").exists(), reason="there is no command line yet")
def test_help_loads_no_server_and_no_model() -> None:
    """`dirigent --help` brings in no server, no model client and no number cruncher."""
    done = subprocess.run([sys.executable, "-c", HELP], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    loaded = set(done.stdout.rpartition("LOADED")[2].split())
    assert "dirigent" in loaded
    assert not loaded & NOT_FOR_HELP


def frameworks_in(module: Module) -> set[str]:
    """What a module imports of test frameworks, which only developers have installed."""
    named = [
        name
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in (
            [node.module or ""] if isinstance(node, ast.ImportFrom) else [a.name for a in node.names]
        )
    ]
    return {name for name in named if name.partition(".")[0] in {"pytest", "hypothesis"}}


def test_shipped_modules_need_no_test_framework() -> None:
    """The kits take pytest from `dirigent.testing.frame`, so that they import where it is not installed."""
    found = {module.path: frameworks_in(module) for module in modules() if frameworks_in(module)}
    assert found == {"dirigent/testing/frame.py": {"pytest"}}
