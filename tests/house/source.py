"""The source tree as syntax trees, read once for all house tests."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True, kw_only=True)
class Module:
    """One source file: its path below `src`, how many lines it has, and what it says."""

    path: str
    lines: int
    tree: ast.Module

    def within(self, *rooms: str) -> bool:
        """Tell whether the file lies in one of these rooms (`domain/`) or is the file named (`engine.py`)."""
        return any(self.path.startswith(f"dirigent/{room}") for room in rooms)


@cache
def modules() -> tuple[Module, ...]:
    """Every Python file of the two packages."""
    return tuple(load(ROOT / "src"))


def load(src: Path) -> Iterator[Module]:
    """Read the files below a source folder, in a fixed order."""
    for path in sorted(src.rglob("*.py")):
        text = path.read_text(encoding="utf-8")
        relative = path.relative_to(src).as_posix()
        yield Module(path=relative, lines=len(text.splitlines()), tree=ast.parse(text, filename=str(path)))


def functions(tree: ast.Module) -> Iterator[tuple[str, Function]]:
    """Every function of a file with its qualified name, methods and inner functions too."""

    def walk(node: ast.AST, prefix: str) -> Iterator[tuple[str, Function]]:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
                yield prefix + child.name, child
                yield from walk(child, f"{prefix}{child.name}.")
            elif isinstance(child, ast.ClassDef):
                yield from walk(child, f"{prefix}{child.name}.")
            else:
                yield from walk(child, prefix)

    yield from walk(tree, "")


def length(function: Function) -> int:
    """Count the lines of a function from its `def` to its end, docstring included, decorators not."""
    return (function.end_lineno or function.lineno) - function.lineno + 1


def imports_in_functions(module: Module) -> Iterator[tuple[int, str]]:
    """Every import written inside a function, as line and name of the imported module."""
    seen: set[int] = set()
    for _, function in functions(module.tree):
        for node in ast.walk(function):
            if not isinstance(node, ast.Import | ast.ImportFrom) or id(node) in seen:
                continue
            seen.add(id(node))
            names = [node.module or "."] if isinstance(node, ast.ImportFrom) else [a.name for a in node.names]
            yield from ((node.lineno, name) for name in names)


def calls_of_open(module: Module) -> Iterator[int]:
    """Every line that opens, reads or writes a file."""
    methods = {"read_text", "read_bytes", "write_text", "write_bytes"}
    for node in ast.walk(module.tree):
        if not isinstance(node, ast.Call):
            continue
        called = node.func
        by_name = isinstance(called, ast.Name) and called.id == "open"
        by_method = isinstance(called, ast.Attribute) and called.attr in methods
        if by_name or by_method:
            yield node.lineno
