"""`dirigent import`."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeElapsedColumn

from dirigent.cli.options import DEFAULT, Common
from dirigent.cli.screen import Screen, facts, shortened, span, table

if TYPE_CHECKING:
    from dirigent.intake.imports import FileReport, ImportReport, RuleReport

LINES_SHOWN = 5
NAME_LENGTH_MAX = 32

# What is of use with books of a kind; the first kind that was imported is named.
NEXT = {
    "order_lines": "goal run examples/goals/revive_pipeline.json",
    "stock": "run examples/workflows/stock_watch.yaml",
    "brands": "run examples/workflows/social_posts.yaml",
}

Tell = Callable[[str, int, int], None]


def import_command(
    folder: Path,
    /,
    *,
    org: Annotated[str | None, Parameter(help="Whose records these are; else the default tenant.")] = None,
    strict: Annotated[
        bool, Parameter(negative=(), help="Refuse a file if one of its rows is refused.")
    ] = False,
    common: Common = DEFAULT,
) -> None:
    """Import a folder.

    Parameters
    ----------
    folder
        A folder with CSV files and an import.yaml that says what they hold.
    """
    from dirigent.bootstrap.beside import open_records
    from dirigent.intake.imports import import_folder

    settings, screen = common.settings(), common.screen()
    began = time.monotonic()
    with open_records(settings) as records, _bar(screen) as tell:
        report = import_folder(folder, records, org or settings.tenant, strict=strict, progress=tell)
    if screen.json:
        screen.document(report)
    else:
        _show(screen, report, time.monotonic() - began)


@contextmanager
def _bar(screen: Screen) -> Iterator[Tell | None]:
    """A bar that moves with the bytes read; none where nobody would see it."""
    if not screen.live:
        yield None
        return
    columns = (TextColumn("importing {task.description}"), BarColumn(), DownloadColumn(), TimeElapsedColumn())
    with Progress(*columns, console=screen.console, transient=True) as progress:
        task = progress.add_task("", total=None)

        def tell(file: str, done: int, total: int) -> None:
            progress.update(task, description=shortened(file, NAME_LENGTH_MAX), completed=done, total=total)

        yield tell


def _show(screen: Screen, report: ImportReport, seconds: float) -> None:
    if report.nothing_new:
        screen.say(
            f"Nothing new: {len(report.files)} files are on record for {report.tenant} already"
            f" ({report.rows_taken:,} rows). {span(seconds)}"
        )
        return
    for file in report.files:
        _show_file(screen, file)
    told = {
        "tenant": report.tenant,
        "rows": f"{report.rows_taken:,} taken, {report.rows_mended:,} of them mended,"
        f" {report.rows_refused:,} refused",
        "time": span(seconds),
    }
    following = _next(report)
    screen.say()
    screen.show(facts(told | ({"next": following} if following else {})))


def _next(report: ImportReport) -> str:
    """A command that does something with what was imported; empty where there is none."""
    held = {file.holds for file in report.files if file.rows_taken}
    found = next((command for kind, command in NEXT.items() if kind in held), "")
    return f"dirigent {found} --org {report.tenant}" if found else ""


def _show_file(screen: Screen, file: FileReport) -> None:
    known = "  (nothing new)" if file.state == "nothing_new" else ""
    screen.heading(f"{file.source} → {file.holds}{known}")
    if known:
        return
    screen.say(f"{file.rows_taken:,} taken, {file.rows_mended:,} mended, {file.rows_refused:,} refused")
    rules = [rule for rule in file.rules if rule.rows]
    if rules:
        rows = [(rule.name, rule.action, f"{rule.rows:,}", _lines(rule), rule.reason) for rule in rules]
        screen.show(table(("rule", "does", "rows", "lines", "why"), rows, right=("rows",)))
    for rule in rules:
        if rule.action == "refuse":
            for example in rule.examples[:LINES_SHOWN]:
                screen.say(f"refused: {file.source} line {example.line}: {example.detail or rule.reason}")


def _lines(rule: RuleReport) -> str:
    shown = ", ".join(str(example.line) for example in rule.examples[:LINES_SHOWN])
    return f"{shown} …" if rule.rows > LINES_SHOWN else shown
