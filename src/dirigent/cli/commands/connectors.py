"""`dirigent connector`: other systems that are asked what has changed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import App, Parameter

from dirigent.cli.failures import DONE
from dirigent.cli.options import DEFAULT, Common

if TYPE_CHECKING:
    from dirigent.cli.screen import Screen
    from dirigent.settings import Settings

HINT = "What was taken in stays; poll again for the rest."
REFUSED_SHOWN = 5

app = App(
    name="connector",
    help_epilogue="Examples:\n  dirigent connector list\n  dirigent connector poll crm",
    help_format="plaintext",
)


@app.command(name="list", help_epilogue="Example:\n  dirigent connector list", help_format="plaintext")
def list_command(*, common: Common = DEFAULT) -> None:
    """Connectors of the folder in DIRIGENT_CONNECTORS, and what their last poll with news gave."""
    from dirigent.bootstrap.history import connector_news
    from dirigent.cli.execution_report import moment
    from dirigent.cli.screen import table
    from dirigent.interpreter.durations import written_duration

    screen = common.screen()
    rows = [
        {
            "connector": one.name,
            "file": str(one.file),
            "every": written_duration(one.every_ms),
            "event_type": one.event["type"],
            "last_news_at": moment(news.at) if news else None,
            "taken": news.taken if news else 0,
            "refused": news.refused if news else 0,
            "reason": news.reason if news else "",
        }
        for one, news in connector_news(common.settings())
    ]
    if screen.json:
        screen.document(rows)
    elif not rows:
        screen.say("There are no connectors. Name their folder in DIRIGENT_CONNECTORS.")
    else:
        columns = ("connector", "file", "every", "event", "last news", "taken", "refused", "why")
        cells = [tuple(row.values()) for row in rows]
        screen.show(table(columns, cells, whole=("connector",), right=("taken", "refused")))


@app.command(
    name="poll",
    help_epilogue="Examples:\n  dirigent connector poll crm\n  dirigent connector poll crm --again",
    help_format="plaintext",
)
def poll_command(
    name: str,
    /,
    *,
    again: Annotated[bool, Parameter(negative=(), help="From the beginning; what is known stays.")] = False,
    org: Annotated[str | None, Parameter(help="Whose connector; else the default tenant's.")] = None,
    common: Common = DEFAULT,
) -> int:
    """Ask now what has changed and, where no server does it, wait for what that starts.

    Parameters
    ----------
    name
        As `dirigent connector list` gives it.
    """
    from dirigent.cli.interruption import interruptible

    work = _poll(common.settings(), common.screen(), name, org or "", again=again)
    return interruptible(work, common.screen(), HINT)


async def _poll(settings: Settings, screen: Screen, name: str, org: str, *, again: bool) -> int:
    from dirigent.bootstrap import Dirigent
    from dirigent.cli.remote import serving
    from dirigent.domain.canonical import plain

    server = serving(settings)
    if server is not None:
        _tell(screen, server.poll_connector(name, org, again=again))
        return DONE
    async with Dirigent(settings=settings) as dirigent:
        polled = await dirigent.connectors.poll(name, tenant=org, again=again)
        newest = dirigent.event_index.events(newest=True, limit=1)
        if newest:
            await dirigent.triggers.matcher.started_by(newest[0].position)
        for row in dirigent.engine.executions(statuses=("pending", "running")):
            await dirigent.engine.wait_rest(row.execution_id)
    _tell(screen, plain(polled))
    return DONE


def _tell(screen: Screen, polled: dict[str, Any]) -> None:
    if screen.json:
        screen.document(polled)
        return
    screen.say(f"{polled['taken']:,} new, {polled['known']:,} known before, {polled['passed']:,} not wanted.")
    for reason in polled["refused"][:REFUSED_SHOWN]:
        screen.warn(f"refused: {reason}")
    if len(polled["refused"]) > REFUSED_SHOWN:
        screen.warn(f"… {len(polled['refused']) - REFUSED_SHOWN:,} more")
