"""What operators ask of an execution: done here, or by the server that holds the data folder."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from dirigent.bootstrap import Dirigent
from dirigent.bootstrap.beside import need_journal, reading
from dirigent.cli.failures import DONE, FAILED
from dirigent.cli.progress import RunProgress
from dirigent.cli.remote import serving
from dirigent.cli.screen import Screen
from dirigent.cli.telling import tell
from dirigent.cli.watching import PATIENCE_MS, watch_and_tell
from dirigent.engine import Engine
from dirigent.settings import Settings


@dataclass(frozen=True, kw_only=True)
class Wish:
    """What is asked of an execution, and how: `here` of the engine, `act` and `body` of a server.

    `here` is given who asks and returns the id of the execution to show. With `shown` that one is watched
    until it rests and told in full; else it is only said how it stands.
    """

    act: str
    here: Callable[[Engine, str], Awaitable[str]]
    body: dict[str, Any] = field(default_factory=dict)
    shown: bool = False


async def carry_out(settings: Settings, screen: Screen, execution_id: str, wish: Wish) -> int:
    """Do what is asked and tell what came of it; returns the exit code."""
    need_journal(settings.data_folder)
    server = serving(settings)
    if server is None:
        return await _here(settings, screen, wish)
    answer = server.steer(execution_id, wish.act, {**wish.body, "actor": settings.actor})
    with reading(settings) as books:
        if not wish.shown:
            return tell_status(screen, execution_id, books.engine.row(execution_id).status)
        status = tell(screen, books, answer["execution_id"])
        return FAILED if status == "failed" else DONE


def tell_status(screen: Screen, execution_id: str, status: str) -> int:
    """Say how an execution stands; returns the exit code."""
    if screen.json:
        screen.document({"execution_id": execution_id, "status": status})
    screen.say(f"{execution_id} is {status}.")
    return DONE if status != "failed" else FAILED


async def _here(settings: Settings, screen: Screen, wish: Wish) -> int:
    progress = RunProgress()
    async with Dirigent(settings=settings, progress=progress.tell) as dirigent:
        shown = await wish.here(dirigent.engine, settings.actor)
        if wish.shown:
            progress.follow(shown)
            return await watch_and_tell(dirigent, screen, progress, resumed=False)
        await dirigent.engine.rest(shown.partition("/")[0], patience_ms=PATIENCE_MS)
        return tell_status(screen, shown, dirigent.engine.row(shown).status)
