"""Telling how an execution stands, whether it is a goal or any other."""

from __future__ import annotations

from dirigent.bootstrap.beside import Books
from dirigent.cli.execution_report import execution_as_dict, show_execution
from dirigent.cli.goal_report import show_goal
from dirigent.cli.screen import Screen
from dirigent.cli.waits import waits_of
from dirigent.intake.goals.report import report_goal


def tell(screen: Screen, books: Books, execution_id: str, *, everything: bool = False) -> str:
    """Print an execution, or answer with it as JSON; returns its status. Raises `NotFound`."""
    reading = books.engine.read(execution_id)
    if reading.started.workflow == "goal":
        report = report_goal(books.engine, execution_id)
        if screen.json:
            screen.document(report.as_dict())
        else:
            show_goal(screen, books, report, everything=everything)
        return report.status
    if screen.json:
        screen.document(execution_as_dict(reading, waits_of(books.engine, execution_id)))
    else:
        show_execution(screen, books, reading, everything=everything)
    return reading.status
