"""`dirigent event`: hand in events of the business, look at them, go through history once more."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import App, Parameter

from dirigent.cli.failures import DONE
from dirigent.cli.options import DEFAULT, Common, key_values

if TYPE_CHECKING:
    from dirigent.cli.screen import Screen
    from dirigent.intake.events.sourcing import Replayed
    from dirigent.ports import Recorded
    from dirigent.settings import Settings

PUBLISH = "event publish --type order.paid --source shop -i total=49"
HINT = "The event is taken in; `dirigent resume` goes on with what it started."
DATA_LENGTH_MAX = 80
DEAD_SHOWN = 10


def _examples(*lines: str) -> str:
    word = "Example" if len(lines) == 1 else "Examples"
    return "\n".join([f"{word}:", *(f"  dirigent {line}" for line in lines)])


app = App(
    name="event",
    help_epilogue=_examples(PUBLISH, "event list --type 'order.*'", "event replay --shadow"),
    help_format="plaintext",
)


@app.command(
    name="publish", help_epilogue=_examples(PUBLISH, "event publish event.json"), help_format="plaintext"
)
def publish_command(
    file: Annotated[str, Parameter(show_default=False)] = "",
    /,
    *,
    type: Annotated[str, Parameter(show_default=False, help="What happened, such as order.paid.")] = "",
    source: Annotated[str, Parameter(show_default=False, help="Where it happened; else cli.")] = "",
    id: Annotated[str, Parameter(show_default=False, help="Its name at its source; else a new one.")] = "",
    subject: Annotated[str, Parameter(show_default=False, help="What it is about.")] = "",
    input: Annotated[
        tuple[str, ...],
        key_values("Its data"),
    ] = (),
    org: Annotated[str | None, Parameter(help="Whose event it is; else the default tenant's.")] = None,
    common: Common = DEFAULT,
) -> int:
    """Hand in an event; it starts what is triggered by it and wakes what waits for it.

    Parameters
    ----------
    file
        A JSON or YAML file with the attributes of CloudEvents; the options win over it.
    """
    from pathlib import Path

    from dirigent.cli.goal_input import read_data
    from dirigent.cli.interruption import interruptible
    from dirigent.cli.workflow_input import read_input

    event: dict[str, Any] = {"source": "cli"}
    if file:
        event |= read_data(Path(file), "An event")
    given = {"type": type, "source": source, "id": id, "subject": subject, "tenant": org or ""}
    event |= {name: value for name, value in given.items() if value}
    if input:
        event["data"] = read_input(input)
    return interruptible(_publish(common.settings(), common.screen(), event), common.screen(), HINT)


@app.command(
    name="list",
    help_epilogue=_examples("event list", "event list --type 'order.*' -o json"),
    help_format="plaintext",
)
def list_command(
    *,
    type: Annotated[
        str, Parameter(show_default=False, help="Only of this type; order.* for all below.")
    ] = "",
    org: Annotated[str | None, Parameter(help="Only this tenant's.")] = None,
    after: Annotated[int | None, Parameter(help="From this position on, oldest first.")] = None,
    limit: Annotated[int, Parameter(help="How many at most.")] = 20,
    common: Common = DEFAULT,
) -> None:
    """Events as they were taken in, newest first."""
    from dirigent.bootstrap.history import looking_at_events
    from dirigent.cli.screen import table
    from dirigent.intake.events.telling import event_told

    screen = common.screen()
    with looking_at_events(common.settings()) as (index, _):
        found = index.events(org, type=type, after=after or 0, limit=limit, newest=after is None)
    if screen.json:
        screen.document([event_told(recorded) for recorded in found])
    elif not found:
        screen.say(f"There are no events yet. Hand one in: dirigent {PUBLISH}")
    else:
        columns = ("position", "taken in", "type", "subject", "source", "id", "data")
        screen.show(table(columns, [_row(recorded) for recorded in found], right=("position",)))


@app.command(
    name="status",
    help_epilogue=_examples("event status", "event status -o json"),
    help_format="plaintext",
)
def status_command(*, common: Common = DEFAULT) -> None:
    """What comes in, how far everybody who follows has come, and which events were given up."""
    from dirigent.bootstrap.pipeline import COUNTED_MAX, pipeline
    from dirigent.cli.execution_report import moment
    from dirigent.cli.screen import facts, table
    from dirigent.domain.canonical import plain

    screen = common.screen()
    found = pipeline(common.settings())
    if screen.json:
        followers = [
            {**plain(one), "dead": [letter._asdict() for letter in one.dead]} for one in found.followers
        ]
        times = {"newest_at": moment(found.newest_at) or None}
        screen.document({**plain(found), **times, "followers": followers})
        return

    def counted(number: int) -> str:
        return f"{number:,} or more" if number >= COUNTED_MAX else f"{number:,}"

    newest = f"at position {found.newest}, {moment(found.newest_at)}" if found.newest else "none yet"
    screen.show(facts({"newest event": newest, "in the last minute": counted(found.last_minute)}))
    if found.followers:
        cells = [(one.name, one.position, counted(one.lag), len(one.dead)) for one in found.followers]
        columns = ("follower", "dealt with up to", "events behind", "given up")
        screen.show(table(columns, cells, right=columns[1:]))
    for one in found.followers:
        for letter in one.dead[-DEAD_SHOWN:]:
            screen.warn(f"{one.name} gave up {letter.event_id} at {letter.position}: {letter.error}")


@app.command(
    name="replay",
    help_epilogue=_examples("event replay", "event replay --since 2026-01-01T00:00:00Z --shadow"),
    help_format="plaintext",
)
def replay_command(
    *,
    since: Annotated[
        str, Parameter(show_default=False, help="From this moment on; else from the beginning.")
    ] = "",
    shadow: Annotated[bool, Parameter(negative=(), help="Also tell what triggers would start.")] = False,
    common: Common = DEFAULT,
) -> int:
    """Go through history once more without any effect: nothing starts and nothing is sent.

    From the beginning, the projections are folded anew from the journal.
    """
    from dirigent.cli.interruption import interruptible

    work = _replay(common.settings(), common.screen(), _moment(since), shadow=shadow)
    return interruptible(work, common.screen(), "Nothing was changed but the projections.")


async def _publish(settings: Settings, screen: Screen, event: dict[str, Any]) -> int:
    from dirigent.bootstrap import Dirigent
    from dirigent.cli.remote import serving
    from dirigent.cli.watching import PATIENCE_MS
    from dirigent.domain.canonical import plain

    server = serving(settings)
    if server is not None:
        told = server.publish(event)
    else:
        async with Dirigent(settings=settings) as dirigent:
            told = plain(await dirigent.publish(event))
            for execution_id in told["triggered"]:
                await dirigent.engine.wait_rest(execution_id, patience_ms=PATIENCE_MS)
    if screen.json:
        screen.document(told)
        return DONE
    again = " (it was there before)" if told["duplicate"] else ""
    screen.say(f"{told['event_id']} is at position {told['position']}{again}.")
    for execution_id in told["triggered"]:
        screen.say(f"It started or woke {execution_id}: dirigent show {execution_id}")
    if not told["triggered"] and not told["duplicate"]:
        screen.say("Nothing is triggered by it. `dirigent trigger firings` says why a trigger stayed away.")
    return DONE


async def _replay(settings: Settings, screen: Screen, since: int | None, *, shadow: bool) -> int:
    from dirigent.bootstrap.history import replaying

    async with replaying(settings) as store:
        replayed = store.replay_events(since, shadow=shadow)
    _tell_replayed(screen, replayed, anew=since is None)
    return DONE


def _tell_replayed(screen: Screen, replayed: Replayed, *, anew: bool) -> None:
    from dirigent.cli.screen import table

    if screen.json:
        screen.document(
            {
                "events": replayed.events,
                "domain_events": replayed.applied,
                "from_position": replayed.position,
                "foreseen": [one._asdict() for one in replayed.foreseen],
            }
        )
        return
    begun = f"from position {replayed.position}" if replayed.events else "nowhere"
    screen.say(f"{replayed.events:,} events replayed {begun}, {replayed.applied:,} of the business.")
    if anew:
        screen.say("The projections were folded anew.")
    if replayed.foreseen:
        rows = [
            (one.event_id, one.trigger, one.workflow, "yes" if one.started else "no")
            for one in replayed.foreseen
        ]
        screen.show(table(("event", "trigger", "workflow", "started"), rows, whole=("trigger",)))


def _row(recorded: Recorded) -> tuple[object, ...]:
    import msgspec

    from dirigent.cli.execution_report import moment
    from dirigent.cli.screen import shortened
    from dirigent.domain.event import EventPublished

    assert isinstance(recorded.event, EventPublished), "the index gives events only"
    event = recorded.event.event
    data = shortened(msgspec.json.encode(event.data).decode(), DATA_LENGTH_MAX)
    taken_in = moment(recorded.event.at)
    return recorded.position, taken_in, event.type, event.subject, event.source, event.id, data


def _moment(text: str) -> int | None:
    from datetime import UTC, datetime

    from dirigent.domain.errors import InvalidInput

    if not text:
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError as error:
        raise InvalidInput(f"{text!r} is no moment.", fix="Write it as 2026-01-01T00:00:00Z.") from error
    return round((found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp() * 1000)
