"""How errors end: a sentence with its fix on standard error, and an exit code that scripts can rely on."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from cyclopts import CycloptsError, UnusedCliTokensError

from dirigent.cli.screen import Screen
from dirigent.domain.errors import (
    DataFolderBusy,
    DirigentError,
    InvalidDefinition,
    InvalidInput,
    NotFound,
)

DONE = 0
FAILED = 1
WRONG_INPUT = 2
BUSY = 3
INTERRUPTED = 130

FIXES = {
    "file_not_found": "Check the path; it is read from the folder you are in.",
    "execution_not_found": "`dirigent ls --children` lists those at hand, `dirigent archive list` others.",
    "archived_not_found": "`dirigent archive list` lists what is in archives.",
    "approval_not_found": "`dirigent approvals --state all` lists the approvals there are.",
    "workflow_not_found": "`dirigent workflow list` lists the workflows there are.",
    "version_not_found": "`dirigent workflow versions NAME` lists them.",
    "code_not_found": "`dirigent explain` lists the codes there are.",
    "job_not_found": "`dirigent queue list` lists the jobs there are.",
    "run_not_found": "`dirigent queue runs` lists the runs there are.",
    "agent_not_found": "`dirigent agents` lists the agents there are.",
    "connector_not_found": "`dirigent connector list` lists the connectors there are.",
    "trigger_not_found": "`dirigent trigger list` lists the triggers there are.",
}


def end_of(error: Exception) -> int:
    """Tell an error and return the exit code it stands for."""
    screen = Screen()
    if isinstance(error, CycloptsError):
        return _wrong_usage(error, screen)
    if isinstance(error, DirigentError):
        return _expected(error, screen)
    if isinstance(error, OSError) and error.strerror:
        where = f"{error.filename}: " if error.filename else ""
        complain(screen, f"{where}{error.strerror}.", "Check the path, its permissions and the disk.")
        return FAILED
    return _unexpected(error, screen)


def complain(screen: Screen, message: str, fix: str = "") -> None:
    """Say what is wrong and what to do about it."""
    screen.warn(f"error: {message}")
    if fix:
        screen.warn(f"fix: {fix}")


def show_problems(screen: Screen, error: InvalidDefinition) -> None:
    """Every problem of a definition, each with its place, what was expected and the fix."""
    show_findings(screen, error.problems)


def show_findings(screen: Screen, problems: Iterable[object]) -> None:
    """Problems or warnings, each with its place, what was expected and the fix."""
    for problem in problems:
        place = getattr(problem, "line", 0)
        if not place:
            screen.warn(str(problem))
            continue
        screen.warn(
            f"{problem.file}:{problem.line}:{problem.column} {problem.code} {problem.message}\n"  # type: ignore[attr-defined]
            f"    expected: {problem.expected}\n"  # type: ignore[attr-defined]
            f"    fix: {problem.fix}"  # type: ignore[attr-defined]
        )


def _wrong_usage(error: CycloptsError, screen: Screen) -> int:
    error.verbose = False
    said = str(error)
    if isinstance(error, UnusedCliTokensError):
        said = f"It takes nothing more: {' '.join(error.unused_tokens or ())} is too much."
    command = " ".join(["dirigent", *_chain(error.command_chain)])
    complain(screen, said, f"`{command} --help` says what there is.")
    return WRONG_INPUT


def _expected(error: DirigentError, screen: Screen) -> int:
    if isinstance(error, InvalidDefinition) and error.problems:
        show_problems(screen, error)
        complain(
            screen,
            f"{_count(len(error.problems), 'problem')} in the workflow.",
            "Mend what is listed; `dirigent explain CODE` says more.",
        )
    else:
        complain(screen, error.message, error.fix or FIXES.get(error.code, ""))
    if isinstance(error, DataFolderBusy):
        return BUSY
    return WRONG_INPUT if isinstance(error, InvalidInput | NotFound) else FAILED


def _unexpected(error: Exception, screen: Screen) -> int:
    from dirigent.cli.log_file import note_failure

    log = note_failure(error)
    complain(
        screen,
        f"something went wrong inside Dirigent: {type(error).__name__}: {error}",
        f"Nothing that was acknowledged is lost. The details are in {log}.",
    )
    return FAILED


def _chain(commands: Sequence[str] | None) -> Sequence[str]:
    return commands or ()


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" + ("" if number == 1 else "s")
