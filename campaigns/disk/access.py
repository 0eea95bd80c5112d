"""Files closed to us, and files taken away while the journal is open.

Usage: python -m campaigns.disk.access FOLDER

The superuser may read and write whatever the mode of a file says, so this runs as somebody else where it can.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec

from campaigns.disk.specimen import WAL, Specimen, grow
from dirigent.domain.errors import StorageFailure
from dirigent.domain.event import StepCompleted
from dirigent.storage.sqlite.anchor import ANCHOR
from dirigent.storage.sqlite.database import DATABASE
from dirigent.storage.sqlite.journal import SqliteJournal, verify_folder

NOBODY = 65_534
EVENTS = 40
MODES = {"read-only": 0o444, "mode 000": 0o000}


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """How much was tried, and what was wrong."""

    trials: int
    violations: list[str]


def in_a_process_of_its_own(folder: Path) -> Outcome:
    """Try everything without the rights of the superuser; others may then look into the folder above."""
    folder.mkdir()
    folder.parent.chmod(0o755)
    command = [sys.executable, "-m", "campaigns.disk.access", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        return Outcome(trials=1, violations=[f"S4 files closed to us: {done.stderr[-1000:]}"])
    return msgspec.json.decode(done.stdout, type=Outcome)


async def _try_all(specimen: Specimen, folder: Path) -> Outcome:
    wrong: list[str] = []
    trials = 0
    for what, file, mode in _closed():
        trials += 1
        copy = specimen.copy(folder / "closed")
        before = _contents(copy)
        wrong += [f"S4 {what}: {text}" for text in await _opened_closed(specimen, copy, file, mode, before)]
    for name in (DATABASE, ANCHOR, WAL):
        trials += 1
        copy = specimen.copy(folder / "taken")
        wrong += [f"S4 {name} deleted while open: {text}" for text in await _taken_away(specimen, copy, name)]
    return Outcome(trials=trials, violations=wrong)


def _closed() -> Iterator[tuple[str, str, int]]:
    for word, mode in MODES.items():
        for file in (DATABASE, WAL, ANCHOR):
            yield f"{file} {word}", file, mode
        yield f"folder {word}", "", mode | (0o111 if mode else 0)


async def _opened_closed(
    specimen: Specimen, folder: Path, file: str, mode: int, before: dict[str, bytes]
) -> list[str]:
    """Refused with a sentence, at the first append at the latest; and all is there once it is open again."""
    closed = folder / file
    open_mode = closed.stat().st_mode
    closed.chmod(mode)
    try:
        await _append_one(folder)
    except StorageFailure:
        pass
    except Exception as error:
        return [f"{type(error).__name__} came out of it: {error}"]
    else:
        return ["an append was acknowledged"]
    finally:
        closed.chmod(open_mode)
    if _contents(folder) != before:
        return ["it was refused, and something was written"]
    return await _all_there(specimen, folder)


async def _append_one(folder: Path) -> None:
    journal = SqliteJournal.open(folder)
    try:
        await journal.append("late", 0, [StepCompleted(at=1, step="s", attempt=1)])
    finally:
        await journal.close()


async def _all_there(specimen: Specimen, folder: Path) -> list[str]:
    journal = SqliteJournal.open(folder)
    there = {name: journal.read(name) for name in specimen.truth}
    await journal.close()
    return [] if there == specimen.truth else ["something is missing afterwards"]


async def _taken_away(specimen: Specimen, folder: Path, name: str) -> list[str]:
    """What is appended to a file that is gone is missing afterwards, or it is said that it may be."""
    journal = SqliteJournal.open(folder)
    await journal.append("late", 0, [StepCompleted(at=1, step="s", attempt=1)])
    (folder / name).unlink()
    try:
        await journal.append("late", 1, [StepCompleted(at=2, step="s", attempt=1)])
        await journal.close()
        verified = verify_folder(folder)
        journal = SqliteJournal.open(folder)
        whole = len(journal.read("late")) == 2
        await journal.close()
    except StorageFailure:
        return []
    return [] if whole or verified.damages else ["acknowledged events are gone without a word"]


def _contents(folder: Path) -> dict[str, bytes]:
    return {name: (folder / name).read_bytes() for name in (DATABASE, WAL)}


def main() -> None:
    """Give up the rights of the superuser and try everything below a folder."""
    folder = Path(sys.argv[1])
    specimen = asyncio.run(grow(folder, events=EVENTS, seed=1, crashed=True))
    if os.geteuid() == 0:
        _become_nobody(folder)
    sys.stdout.buffer.write(msgspec.json.encode(asyncio.run(_try_all(specimen, folder))))


def _become_nobody(folder: Path) -> None:
    for path in (folder, *folder.rglob("*")):
        os.chown(path, NOBODY, NOBODY)
    os.setgroups([])
    os.setresgid(NOBODY, NOBODY, NOBODY)
    os.setresuid(NOBODY, NOBODY, NOBODY)


if __name__ == "__main__":
    main()
