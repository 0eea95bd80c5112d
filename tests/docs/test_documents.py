"""The documents hold: code blocks parse, make targets exist, links lead somewhere."""

import ast
import json
import re
import subprocess
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = sorted(
    [
        *ROOT.glob("*.md"),
        *ROOT.glob("docs/**/*.md"),
        *ROOT.glob("benchmarks/*.md"),
        *ROOT.glob("examples/**/*.md"),
    ]
)
TARGETS = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))

FENCE = re.compile(
    r"^(?P<indent> *)```(?P<language>\w+)?[^\n]*\n(?P<code>.*?)^ *```$", re.MULTILINE | re.DOTALL
)
LINK = re.compile(r"\]\((?!\w+:|#)([^)#\s]+)")


def blocks(text: str) -> list[tuple[int, str, str]]:
    """Every fenced block as line, language and code."""
    return [
        (text.count("\n", 0, found.start()) + 1, found["language"] or "", unindent(found))
        for found in FENCE.finditer(text)
    ]


def unindent(found: re.Match[str]) -> str:
    return re.sub(f"^{found['indent']}", "", found["code"], flags=re.MULTILINE)


def check_python(code: str) -> None:
    compile(code, "<document>", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT | ast.PyCF_ONLY_AST)


def check_shell(code: str) -> None:
    done = subprocess.run(["bash", "-n"], input=code, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    unknown = set(re.findall(r"^\$? *make ([a-z-]+)", code, re.MULTILINE)) - TARGETS
    assert not unknown, f"there is no make {', '.join(unknown)}"


CHECKS: dict[str, Callable[[str], object]] = {
    "python": check_python,
    "py": check_python,
    "sh": check_shell,
    "bash": check_shell,
    "shell": check_shell,
    "json": json.loads,
    "yaml": lambda code: list(yaml.safe_load_all(code)),
    "toml": tomllib.loads,
}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_every_code_block_parses(document: Path) -> None:
    """A reader who copies a block gets past the parser."""
    for line, language, code in blocks(document.read_text(encoding="utf-8")):
        try:
            CHECKS.get(language, str)(code)
        except Exception as error:
            pytest.fail(f"{document.relative_to(ROOT)}:{line} ({language}): {error}")


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_every_link_leads_somewhere(document: Path) -> None:
    """A relative link names a file that is there."""
    text = FENCE.sub("", document.read_text(encoding="utf-8"))
    dead = [link for link in LINK.findall(text) if not (document.parent / link).exists()]
    assert not dead, dead


def test_a_broken_block_is_found() -> None:
    """The checks fail on what they are there for."""
    ((line, language, code),) = blocks("Try:\n\n```python\nprint('\n```\n")
    assert (line, language) == (3, "python")
    with pytest.raises(SyntaxError):
        check_python(code)
    with pytest.raises(AssertionError, match="no make nonsense"):
        check_shell("make nonsense\n")
