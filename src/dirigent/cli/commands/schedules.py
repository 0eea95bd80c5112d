"""`dirigent schedule`: when schedules fire, explained before they do."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import App, Parameter

from dirigent.cli.options import DEFAULT, Common

if TYPE_CHECKING:
    from dirigent.domain.trigger import ScheduleTrigger

NEXT = "schedule next examples/workflows/daily_report.yaml --count 3"


def _examples(*lines: str) -> str:
    word = "Example" if len(lines) == 1 else "Examples"
    return "\n".join([f"{word}:", *(f"  dirigent {line}" for line in lines)])


CRON = "schedule next --cron '30 2 * * *' --timezone Europe/Berlin --since 2026-03-28"
app = App(name="schedule", help_epilogue=_examples(NEXT, CRON), help_format="plaintext")


@app.command(name="next", help_epilogue=_examples(NEXT, CRON), help_format="plaintext")
def next_command(
    file: Path | None = None,
    /,
    *,
    cron: Annotated[str, Parameter(show_default=False, help="Five cron fields instead of a file.")] = "",
    timezone: Annotated[str, Parameter(help="The time zone of --cron.")] = "UTC",
    count: Annotated[int, Parameter(help="How many times.")] = 5,
    since: Annotated[str, Parameter(show_default=False, help="From this moment on; else from now.")] = "",
    common: Common = DEFAULT,
) -> None:
    """The next times of every schedule in a workflow file, local and in UTC, and why one is unusual.

    Parameters
    ----------
    file
        A workflow file.
    """
    from dirigent.cli.screen import table

    screen = common.screen()
    found = [(trigger, _firings(trigger, since, count)) for trigger in _schedules(file, cron, timezone)]
    if screen.json:
        screen.document([{"schedule": _named(trigger), "next": firings} for trigger, firings in found])
        return
    if not found:
        screen.say("No schedule is in it.")
    for trigger, firings in found:
        screen.heading(f"{_named(trigger)} in {trigger.timezone}")
        if not firings:
            screen.say("It never comes again.")
            continue
        rows = [(one["local"], one["utc"], one["note"]) for one in firings]
        screen.show(table(("local", "UTC", "note"), rows))


def _schedules(file: Path | None, cron: str, timezone: str) -> list[ScheduleTrigger]:
    from dirigent.domain.errors import InvalidInput
    from dirigent.domain.trigger import ScheduleTrigger
    from dirigent.intake.time_zones import TIME_ZONES
    from dirigent.intake.workflows import Workflow

    if (file is None) is not bool(cron):
        raise InvalidInput("Which schedule?", fix="Name a workflow file, or give --cron, not both.")
    if timezone not in TIME_ZONES:
        raise InvalidInput(f"There is no time zone {timezone!r}.", fix="Write it as Europe/Berlin.")
    if file is None:
        return [ScheduleTrigger(schedule=cron, timezone=timezone)]
    definition = Workflow.load(file).definition
    return [trigger for trigger in definition.triggers if isinstance(trigger, ScheduleTrigger)]


def _firings(trigger: ScheduleTrigger, since: str, count: int) -> list[dict[str, Any]]:
    import time
    from datetime import UTC, datetime
    from zoneinfo import ZoneInfo

    from dirigent.domain.errors import InvalidInput
    from dirigent.intake.schedules.times import explained, first, times_of

    zone, begin = ZoneInfo(trigger.timezone), round(time.time() * 1000)
    if since:
        try:
            moment = datetime.fromisoformat(since)
        except ValueError as error:
            raise InvalidInput(f"{since!r} is no moment.", fix="Write it as 2026-03-28T12:00.") from error
        # A time that comes at this very moment is one of those from this moment on.
        begin = round((moment if moment.tzinfo else moment.replace(tzinfo=zone)).timestamp() * 1000) - 1
    return [
        {
            "local": datetime.fromtimestamp(due / 1000, zone).isoformat(" ", "minutes"),
            "utc": datetime.fromtimestamp(due / 1000, UTC).strftime("%Y-%m-%dT%H:%MZ"),
            "note": explained(trigger, due),
        }
        for due in first(times_of(trigger), begin, count)
    ]


def _named(trigger: ScheduleTrigger) -> str:
    if trigger.every:
        return f"every {trigger.every}"
    return f"at {trigger.at}" if trigger.at else trigger.schedule
