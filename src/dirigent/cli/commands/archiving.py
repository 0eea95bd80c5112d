"""`dirigent archive`: finished executions out of the working store into files, and back."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import App, Parameter

from dirigent.cli.failures import DONE
from dirigent.cli.options import DEFAULT, Common

if TYPE_CHECKING:
    from dirigent.cli.screen import Screen
    from dirigent.ports import ExecutionRow

SHOWN = 20

app = App(
    name="archive",
    help_epilogue="Examples:\n  dirigent archive --older-than 90d\n  dirigent archive --older-than 90d --yes",
    help_format="plaintext",
)


@app.default
def archive_command(
    *,
    older_than: Annotated[str, Parameter(help="How long ago they have to have ended, such as 90d or 12h.")],
    yes: Annotated[
        bool, Parameter(negative=(), help="Do it; else it is only said what would be done.")
    ] = False,
    common: Common = DEFAULT,
) -> int:
    """Move finished executions into a file; the journal still proves that nothing else is gone."""
    import asyncio

    from dirigent.bootstrap.archives import archive, due
    from dirigent.cli.execution_report import moment
    from dirigent.runtimes.clock import SystemClock

    settings, screen = common.settings(), common.screen()
    now = SystemClock().now_ms()
    before = now - _span_ms(older_than)
    if not yes:
        return _tell_due(screen, due(settings, before), moment(before))
    done = asyncio.run(archive(settings, before, now_ms=now))
    if screen.json:
        screen.document({"executions": done.executions, "file": _text(done.file), "events": done.events})
    elif not done.executions:
        screen.say(f"Nothing ended before {moment(before)}.")
    else:
        screen.say(f"{len(done.executions)} executions, {done.events:,} events are now in {done.file}.")
        screen.say("Keep that file: nothing else holds them. `dirigent archive restore ID` brings one back.")
    return DONE


@app.command(name="list", help_epilogue="Example:\n  dirigent archive list", help_format="plaintext")
def list_command(*, common: Common = DEFAULT) -> None:
    """Archive files, oldest first, and the executions in them that are not at hand."""
    from dirigent.bootstrap.archives import archives
    from dirigent.cli.execution_report import WIDE, moment
    from dirigent.cli.screen import table

    screen = common.screen()
    found = archives(common.settings())
    if screen.json:
        screen.document(
            [
                {"file": said.file, "sha256": said.sha256, "at": moment(said.at), "executions": names}
                for said, names in found
            ]
        )
    elif not found:
        screen.say("Nothing is archived. Try: dirigent archive --older-than 90d")
    elif screen.console.width < WIDE:
        narrow = [(name, said.file) for said, names in found for name in names]
        screen.show(table(("execution", "file"), narrow, whole=("execution",)))
    else:
        rows = [(name, said.file, moment(said.at), said.actor) for said, names in found for name in names]
        screen.show(table(("execution", "file", "archived", "by"), rows, whole=("execution",)))


@app.command(
    name="show", help_epilogue="Example:\n  dirigent archive show exec_a1c7f6f4", help_format="plaintext"
)
def show_command(execution_id: str, /, *, common: Common = DEFAULT) -> None:
    """How an archived execution ended, read from its file, which is verified.

    Parameters
    ----------
    execution_id
        As `dirigent archive list` gives it; what it started is `<id>/<step>`.
    """
    from dirigent.bootstrap.archives import archived_events
    from dirigent.bootstrap.beside import reading
    from dirigent.cli.execution_report import execution_as_dict, show_execution
    from dirigent.interpreter.reading import read_execution

    settings, screen = common.settings(), common.screen()
    said, events = archived_events(settings, execution_id)
    found = read_execution(events)
    if screen.json:
        screen.document(execution_as_dict(found) | {"file": said.file})
        return
    with reading(settings) as books:
        show_execution(screen, books, found, everything=True)
    screen.say(f"It is in {said.file}. To have it at hand: dirigent archive restore {execution_id}")


@app.command(
    name="restore",
    help_epilogue="Example:\n  dirigent archive restore exec_a1c7f6f4",
    help_format="plaintext",
)
def restore_command(execution_id: str, /, *, common: Common = DEFAULT) -> int:
    """Bring an archived execution back with all it started; its file stays.

    Parameters
    ----------
    execution_id
        As `dirigent archive list` gives it.
    """
    import asyncio

    from dirigent.bootstrap.archives import restore
    from dirigent.runtimes.clock import SystemClock

    settings, screen = common.settings(), common.screen()
    done = asyncio.run(restore(settings, execution_id, now_ms=SystemClock().now_ms()))
    if screen.json:
        screen.document({"executions": done.executions, "file": _text(done.file), "events": done.events})
    screen.say(f"{done.executions[0]} is at hand again ({done.events:,} events).")
    return DONE


def _span_ms(text: str) -> int:
    from dirigent.domain.errors import InvalidInput

    found = re.fullmatch(r"([0-9]{1,6})([dhm])", text)
    if found is None:
        raise InvalidInput(f"{text!r} is no span of time.", fix="Write 90d, 12h or 30m.", field="older_than")
    return int(found[1]) * {"d": 86_400_000, "h": 3_600_000, "m": 60_000}[found[2]]


def _tell_due(screen: Screen, rows: list[ExecutionRow], before: str) -> int:
    from dirigent.cli.execution_report import list_executions

    if screen.json:
        screen.document({"would_archive": [row.execution_id for row in rows]})
    elif not rows:
        screen.say(f"Nothing ended before {before}.")
    else:
        screen.show(list_executions(rows[:SHOWN], screen.console.width))
        more = f" ({len(rows) - SHOWN} more than shown)" if len(rows) > SHOWN else ""
        screen.say(f"{len(rows)} executions{more} ended before {before}. Nothing was changed; --yes does it.")
    return DONE


def _text(file: Path | None) -> str | None:
    return str(file) if file is not None else None
