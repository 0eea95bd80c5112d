"""`dirigent trigger`: what starts workflows by itself; fire, pause and resume it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import App, Parameter

from dirigent.cli.failures import DONE
from dirigent.cli.options import DEFAULT, Common, key_values

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from dirigent.bootstrap import Dirigent
    from dirigent.cli.screen import Screen
    from dirigent.settings import Settings

TRIGGER = "daily_report.schedule.0f3a9c1b"
HINT = "Run it again to go on."

Org = Annotated[str | None, Parameter(help="For which tenant; else the default one.")]
Reason = Annotated[str, Parameter(show_default=False, help="Kept in the journal.")]


def _examples(*lines: str) -> str:
    word = "Example" if len(lines) == 1 else "Examples"
    return "\n".join([f"{word}:", *(f"  dirigent {line}" for line in lines)])


app = App(
    name="trigger",
    help_epilogue=_examples("trigger list", f"trigger fire {TRIGGER}", f"trigger pause {TRIGGER}"),
    help_format="plaintext",
)


@app.command(
    name="list", help_epilogue=_examples("trigger list", "trigger list -o json"), help_format="plaintext"
)
def list_command(*, common: Common = DEFAULT) -> None:
    """Triggers of the stored workflows and of the folder in DIRIGENT_WORKFLOWS; when schedules fire next."""
    from dirigent.bootstrap.history import trigger_states
    from dirigent.cli.remote import serving
    from dirigent.cli.screen import table
    from dirigent.intake.triggers.at_work import trigger_told

    settings, screen = common.settings(), common.screen()
    server = serving(settings)
    found = (
        server.triggers() if server is not None else [trigger_told(one) for one in trigger_states(settings)]
    )
    if screen.json:
        screen.document(found)
    elif not found:
        screen.say("No trigger is at work. Store a workflow that has one: dirigent workflow save FILE")
    else:
        columns = ("trigger", "fires for", "overlap", "state", "next")
        screen.show(table(columns, [_row(one) for one in found], whole=("trigger",)))


@app.command(
    name="firings",
    help_epilogue=_examples("trigger firings", "trigger firings --decision failed"),
    help_format="plaintext",
)
def firings_command(
    trigger: Annotated[str, Parameter(show_default=False)] = "",
    /,
    *,
    decision: Annotated[
        str | None, Parameter(help="started, queued, skipped, paused, failed or cut.")
    ] = None,
    org: Annotated[str | None, Parameter(help="Only this tenant's.")] = None,
    limit: Annotated[int, Parameter(help="How many at most.")] = 20,
    common: Common = DEFAULT,
) -> None:
    """What became of every firing, newest first; also why nothing was started.

    Parameters
    ----------
    trigger
        Only this trigger's, as `dirigent trigger list` gives it.
    """
    from dirigent.bootstrap.history import looking_at_events
    from dirigent.cli.execution_report import moment
    from dirigent.cli.screen import table

    screen = common.screen()
    with looking_at_events(common.settings()) as (_, firings):
        rows = firings.firings(org, trigger=trigger or None, decision=decision, limit=limit)
    if screen.json:
        screen.document(rows)
    elif not rows:
        screen.say("Nothing has fired yet.")
    else:
        cells = [
            (
                moment(row.at),
                row.trigger,
                row.cause,
                row.decision,
                row.execution_id if row.decision == "started" else row.reason,
            )
            for row in rows
        ]
        columns = ("at", "trigger", "for", "decision", "execution or reason")
        screen.show(table(columns, cells, whole=("trigger",)))


@app.command(
    name="fire",
    help_epilogue=_examples(f"trigger fire {TRIGGER}", f"trigger fire {TRIGGER} -i day=monday"),
    help_format="plaintext",
)
def fire_command(
    trigger: str,
    /,
    *,
    input: Annotated[
        tuple[str, ...],
        key_values(),
    ] = (),
    org: Org = None,
    common: Common = DEFAULT,
) -> int:
    """Fire a trigger by hand and, where no server does it, wait for what it started.

    Parameters
    ----------
    trigger
        As `dirigent trigger list` gives it.
    """
    from dirigent.cli.watching import PATIENCE_MS
    from dirigent.cli.workflow_input import read_input

    given = read_input(input) if input else None

    async def here(dirigent: Dirigent) -> dict[str, Any]:
        execution_id = await dirigent.triggers.fire(trigger, given, tenant=org or "")
        await dirigent.engine.wait_rest(execution_id, patience_ms=PATIENCE_MS)
        return {"id": trigger, "execution_id": execution_id}

    return _act(common, "fire", trigger, org, {"input": given}, here)


@app.command(
    name="pause",
    help_epilogue=_examples(f"trigger pause {TRIGGER} --reason 'too loud'"),
    help_format="plaintext",
)
def pause_command(trigger: str, /, *, reason: Reason = "", org: Org = None, common: Common = DEFAULT) -> int:
    """Let a trigger start nothing until it is resumed.

    Parameters
    ----------
    trigger
        As `dirigent trigger list` gives it.
    """
    actor = common.settings().actor

    async def here(dirigent: Dirigent) -> dict[str, Any]:
        await dirigent.triggers.pause(trigger, actor, reason, tenant=org or "")
        return {"id": trigger, "paused": True}

    return _act(common, "pause", trigger, org, {"actor": actor, "reason": reason}, here)


@app.command(name="resume", help_epilogue=_examples(f"trigger resume {TRIGGER}"), help_format="plaintext")
def resume_command(trigger: str, /, *, org: Org = None, common: Common = DEFAULT) -> int:
    """Let a trigger start executions again.

    Parameters
    ----------
    trigger
        As `dirigent trigger list` gives it.
    """
    actor = common.settings().actor

    async def here(dirigent: Dirigent) -> dict[str, Any]:
        await dirigent.triggers.resume(trigger, actor, tenant=org or "")
        return {"id": trigger, "paused": False}

    return _act(common, "resume", trigger, org, {"actor": actor}, here)


def _act(common: Common, act: str, trigger: str, org: str | None, body: dict[str, Any], here: Any) -> int:
    from dirigent.cli.interruption import interruptible

    work = _done(common.settings(), common.screen(), act, trigger, org, body, here)
    return interruptible(work, common.screen(), HINT)


async def _done(
    settings: Settings,
    screen: Screen,
    act: str,
    trigger: str,
    org: str | None,
    body: dict[str, Any],
    here: Any,
) -> int:
    from dirigent.bootstrap import Dirigent
    from dirigent.cli.remote import serving

    server = serving(settings)
    if server is not None:
        told = server.with_trigger(act, trigger, org, body)
    else:
        async with Dirigent(settings=settings) as dirigent:
            work: Coroutine[Any, Any, dict[str, Any]] = here(dirigent)
            told = await work
    if screen.json:
        screen.document(told)
    elif "execution_id" in told:
        screen.say(f"{trigger} started {told['execution_id']}: dirigent show {told['execution_id']}")
    else:
        screen.say(f"{trigger} is {'paused' if told['paused'] else 'at work'}.")
    return DONE


def _row(told: dict[str, Any]) -> tuple[object, ...]:
    state = "paused" if told["paused"] else "at work"
    names = ("id", "fires_for", "overlap")
    coming = (told["next"] or "").replace(".000Z", "Z")
    return *(told[name] for name in names), state, coming
