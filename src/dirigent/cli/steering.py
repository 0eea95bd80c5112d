"""What operators ask of an execution: done here, or by the server that holds the data folder."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from dirigent.bootstrap import Dirigent
from dirigent.bootstrap.beside import need_journal, reading
from dirigent.cli.execution_report import standing, waits_in_words
from dirigent.cli.failures import DONE, FAILED
from dirigent.cli.interruption import interruptible
from dirigent.cli.options import Common
from dirigent.cli.progress import RunProgress
from dirigent.cli.remote import serving
from dirigent.cli.screen import Screen
from dirigent.cli.telling import tell
from dirigent.cli.waits import fields_filtered, waits_of
from dirigent.cli.watching import PATIENCE_MS, watch_and_tell
from dirigent.domain.errors import InvalidInput
from dirigent.engine import Engine
from dirigent.settings import Settings

HINT = "What was acknowledged stands; `dirigent resume` goes on with what follows from it."


@dataclass(frozen=True, kw_only=True)
class Wish:
    """What is asked of an execution, and how: `here` of the engine, `act` and `body` of a server.

    `here` is given who asks. With `shown` it returns the id of another execution, which is watched until it
    rests and told in full; else it is only said how the one that is asked stands. `note` is said with that.
    """

    act: str
    execution_id: str
    body: dict[str, Any]
    here: Callable[[Engine, str], Awaitable[str | None]]
    shown: bool = False
    note: str = ""


def ask(common: Common, wish: Wish) -> int:
    """Do what is asked and tell what came of it; returns the exit code."""
    screen = common.screen()
    return interruptible(_carry_out(common.settings(), screen, wish), screen, HINT)


async def _carry_out(settings: Settings, screen: Screen, wish: Wish) -> int:
    need_journal(settings.data_folder)
    server = serving(settings)
    if server is None:
        return await _here(settings, screen, wish)
    answer = server.steer(wish.execution_id, wish.act, {**wish.body, "actor": settings.actor})
    with reading(settings) as books:
        if not wish.shown:
            return _tell_wished(screen, books.engine, wish)
        status = tell(screen, books, answer["execution_id"])
        return FAILED if status == "failed" else DONE


def foreseen(settings: Settings, execution_id: str, name: str, data: Any, signal_id: str) -> str:
    """What is to be said of a signal beforehand; empty where a step takes it.

    Raises `InvalidInput` where nothing would come of it but the failure of the step that waits, whose filter
    cannot be evaluated for it.
    """
    need_journal(settings.data_folder)
    with reading(settings) as books:
        prospect = books.engine.foresee(execution_id, name, data, signal_id=signal_id)
        if prospect.taken:
            return ""
        for step, reason in prospect.unreadable.items():
            asked = "".join(
                f" -i {field}=VALUE" for field in fields_filtered(books.engine, execution_id, step)
            )
            fix = f"Say what it reads: dirigent signal {execution_id} {name}{asked}"
            raise InvalidInput(
                f"{step} waits for {name} and cannot read this: {reason.rstrip('.')}.", fix=fix
            )
    return f"No step takes {name} now; it is kept until one that waits for it does."


def tell_status(screen: Screen, execution_id: str, status: str, *, paused: bool = False) -> int:
    """Say how an execution stands; returns the exit code."""
    if screen.json:
        screen.document({"execution_id": execution_id, "status": status})
    screen.say(f"{execution_id} is {standing(status, paused=paused)}.")
    return DONE if status != "failed" else FAILED


async def _here(settings: Settings, screen: Screen, wish: Wish) -> int:
    progress = RunProgress()
    async with Dirigent(settings=settings, progress=progress.tell) as dirigent:
        other = await wish.here(dirigent.engine, settings.actor)
        if wish.shown and other is not None:
            progress.follow(other)
            return await watch_and_tell(dirigent, screen, progress, resumed=False)
        await dirigent.engine.wait_rest(wish.execution_id.partition("/")[0], patience_ms=PATIENCE_MS)
        return _tell_wished(screen, dirigent.engine, wish)


def _tell_wished(screen: Screen, engine: Engine, wish: Wish) -> int:
    row = engine.row(wish.execution_id)
    code = tell_status(screen, wish.execution_id, row.status, paused=row.paused)
    if wish.note and not row.ended_at:
        screen.say(wish.note)
    if waits := waits_of(engine, wish.execution_id):
        screen.say(f"It waits for: {waits_in_words(waits, wish.execution_id)}")
    return code
