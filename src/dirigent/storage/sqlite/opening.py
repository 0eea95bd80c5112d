"""Opening a journal: what has to hold before anything is appended to it.

The anchor says where the journal ended. What stands before it is verified when it is read; what follows
it is verified now. Where this quick look finds anything wrong, the whole journal is verified: damaged
streams are set apart, and a journal that has lost its tail is refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import apsw

from dirigent.domain.errors import JournalDamaged
from dirigent.ports import Damage
from dirigent.storage.sqlite.anchor import ANCHOR, Anchor, AnchorFile, read_anchor
from dirigent.storage.sqlite.database import DATABASE, PROJECTIONS_MARK, SQL, create, is_new, journal_name
from dirigent.storage.sqlite.folding import refold
from dirigent.storage.sqlite.reading import Reader
from dirigent.storage.sqlite.verification import WHOLE_JOURNAL, verify

_PAGE_EVENTS = 1000


class Opened(NamedTuple):
    """Where the journal ends, and the damaged streams with what is wrong with each."""

    position: int
    streams: int
    damaged: Mapping[str, str]


class _Survey(NamedTuple):
    """What the database says of itself."""

    journal: bytes
    position: int
    digest: bytes
    listed: int
    streams: int
    versions: int
    last: int


def open_journal(connection: apsw.Connection, reader: Reader, anchor: AnchorFile, *, accept: bool) -> Opened:
    """Look the journal over and write its anchor anew; raises `JournalDamaged` where it is refused.

    `accept` takes the history as it is: what the anchor said is set aside and holds no longer.
    """
    seen = read_anchor(anchor.path).anchor
    if is_new(connection):
        if seen is not None and seen.position and not accept:
            raise _refusal(anchor.path.parent, f"{DATABASE} is missing or empty", seen)
        create(connection)
        seen = None
    survey = _surveyed(connection)
    damaged = {} if _looks_sound(connection, reader, survey, seen) else _damaged(connection, anchor.path)
    if not accept and seen is not None and (fault := _contradiction(connection, survey, seen, damaged)):
        raise _refusal(anchor.path.parent, fault, seen)
    if accept:
        anchor.set_aside()
    connection.execute(SQL["guards"])
    if connection.execute(SQL["meta"], ("projections",)).get != PROJECTIONS_MARK:
        with connection:
            refold(connection)
    anchor.begin(_anchored(survey, seen, accept=accept))
    return Opened(survey.position, survey.streams, damaged)


def _surveyed(connection: apsw.Connection) -> _Survey:
    position: Any = connection.execute(SQL["last_position"]).get
    row: Any = connection.execute(SQL["survey"]).get
    listed, streams, versions, last = row
    return _Survey(
        journal=journal_name(connection),
        position=position,
        digest=_digest_at(connection, position),
        listed=listed,
        streams=streams,
        versions=versions,
        last=last,
    )


def _digest_at(connection: apsw.Connection, position: int) -> bytes:
    found = connection.execute(SQL["digest_at"], (position,)).get if position else None
    return found if isinstance(found, bytes) else bytes(32)


def _looks_sound(connection: apsw.Connection, reader: Reader, survey: _Survey, seen: Anchor | None) -> bool:
    if survey.position == 0 and survey.listed == 0 and (seen is None or seen.position == 0):
        return True
    return (
        seen is not None
        and survey.position == survey.versions == survey.last
        and survey.listed == survey.streams
        and not _contradiction(connection, survey, seen, {})
        and not connection.execute(SQL["unlisted_names"]).fetchall()
        and not connection.execute(SQL["strange_names"]).fetchall()
        and _tail_verifies(reader, seen.position, survey.position)
    )


def _tail_verifies(reader: Reader, after: int, until: int) -> bool:
    try:
        while page := reader.tail(after, _PAGE_EVENTS):
            after = page[-1].position
    except JournalDamaged:
        return False
    return after >= until


def _contradiction(
    connection: apsw.Connection, survey: _Survey, seen: Anchor, damaged: Mapping[str, str]
) -> str:
    """What the anchor says and the database does not; damaged streams may explain another digest."""
    if seen.journal != survey.journal:
        return f"{ANCHOR} belongs to another journal"
    if seen.position > survey.position:
        return f"its last {seen.position - survey.position} events are missing"
    if seen.streams > survey.listed:
        return f"{seen.streams - survey.listed} of its {seen.streams} streams are missing"
    if seen.position and not damaged and _digest_at(connection, seen.position) != seen.digest:
        return f"it holds another history than the one that was acknowledged up to position {seen.position}"
    return ""


def _damaged(connection: apsw.Connection, anchor: Path) -> dict[str, str]:
    """Verify everything; the streams that do not verify, each with the first thing wrong with it."""
    damages = verify(connection, read_anchor(anchor)).damages
    return {damage.stream: _reason(damage) for damage in reversed(damages) if damage.stream != WHOLE_JOURNAL}


def _reason(damage: Damage) -> str:
    return f"version {damage.version}: {damage.reason}" if damage.version else damage.reason


def _anchored(survey: _Survey, seen: Anchor | None, *, accept: bool) -> Anchor:
    unvouched = seen.unvouched if seen is not None else survey.position
    return Anchor(
        journal=survey.journal,
        position=survey.position,
        digest=survey.digest,
        streams=survey.streams,
        unvouched=0 if accept else unvouched,
        sequence=seen.sequence if seen is not None else 0,
    )


def _refusal(folder: Path, fault: str, seen: Anchor) -> JournalDamaged:
    return JournalDamaged(
        f"The journal in {folder} is damaged: {fault}. {seen.position} events were acknowledged.",
        fix="Restore the folder from a backup; or accept, in so many words, the history that is left.",
    )


def refuse_unreadable(folder: Path, error: Exception) -> JournalDamaged:
    """What is raised where the database cannot even be looked over."""
    return JournalDamaged(
        f"The journal in {folder} cannot be read ({error}).", fix="Restore the folder from a backup."
    )
