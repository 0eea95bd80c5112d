"""Damage to the journal's files: bits, pages, tails, and files that are missing, foreign or closed to us."""

from __future__ import annotations

import asyncio
import os
import random
import time
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path

from campaigns.disk.access import in_a_process_of_its_own
from campaigns.disk.judging import Judge, Tally, Verify, findings, only_integrity_check
from campaigns.disk.specimen import SHM, WAL, Specimen, grow
from campaigns.scratch import scratch
from campaigns.verdict import Verdict, as_control
from dirigent.storage.sqlite.anchor import ANCHOR
from dirigent.storage.sqlite.database import DATABASE

DATABASE_FLIPS = 2_000
WAL_FLIPS = 500
ANCHOR_FLIPS = 100
TAIL_BYTES = 64 * 1024
TAIL_STEP = 512
PAGE = 4096
EVENTS = 300
CONTROL_FLIPS = 60
OTHER_CONTENT = b"business plan " * 3_000

Damaging = Callable[[Path], None]


def flips(file: str, size: int, times: int, chance: random.Random) -> Iterator[tuple[str, Damaging]]:
    """One bit turned round, anywhere."""
    for _ in range(times):
        offset, bit = chance.randrange(size), chance.randrange(8)
        yield (
            f"bit {bit} of byte {offset} of {file}",
            partial(_flip, file, offset, bit),
        )


def _flip(file: str, offset: int, bit: int, folder: Path) -> None:
    content = bytearray((folder / file).read_bytes())
    content[offset] ^= 1 << bit
    (folder / file).write_bytes(content)


def cuts(file: str, size: int) -> Iterator[tuple[str, Damaging]]:
    """The end of a file missing, at every sector of its last part."""
    for kept in range(max(0, size - TAIL_BYTES), size, TAIL_STEP):
        yield f"{file} cut to {kept} of {size} bytes", partial(_cut, file, kept)


def _cut(file: str, kept: int, folder: Path) -> None:
    os.truncate(folder / file, kept)


def pages(specimen: Specimen) -> Iterator[tuple[str, Damaging]]:
    """Every page of the database zeroed, swapped with its neighbour, and as it was once."""
    content = (specimen.folder / DATABASE).read_bytes()
    count = len(content) // PAGE
    for number in range(count):
        other = (number + 1) % count
        yield f"page {number + 1} zeroed", partial(_set_pages, {number: bytes(PAGE)})
        swapped = {number: _page(content, other), other: _page(content, number)}
        yield f"pages {number + 1} and {other + 1} swapped", partial(_set_pages, swapped)
        stale = _page(specimen.older, number)
        if len(stale) == PAGE:
            yield f"page {number + 1} as it was once", partial(_set_pages, {number: stale})


def _page(content: bytes, number: int) -> bytes:
    return content[number * PAGE : (number + 1) * PAGE]


def _set_pages(pages: Mapping[int, bytes], folder: Path) -> None:
    content = bytearray((folder / DATABASE).read_bytes())
    for number, page in pages.items():
        content[number * PAGE : (number + 1) * PAGE] = page
    (folder / DATABASE).write_bytes(content)


def files(own: Specimen, foreign: Specimen) -> Iterator[tuple[str, Damaging]]:
    """Files missing, empty, full of something else, or of another journal."""
    for name in (DATABASE, WAL, ANCHOR):
        if (own.folder / name).exists():
            yield f"{name} missing", partial(_remove, name)
            yield f"{name} empty", partial(_cut, name, 0)
            yield f"{name} of something else", partial(_put, name, OTHER_CONTENT)
        if (foreign.folder / name).exists():
            yield f"{name} of another journal", partial(_put, name, (foreign.folder / name).read_bytes())
    yield f"{SHM} of something else", partial(_put, SHM, OTHER_CONTENT)
    yield f"{DATABASE} as it was once", partial(_put, DATABASE, own.older)


def _remove(file: str, folder: Path) -> None:
    (folder / file).unlink()


def _put(file: str, content: bytes, folder: Path) -> None:
    (folder / file).write_bytes(content)


class DamageCampaign:
    """Every damage to a copy of its own."""

    def __init__(self, folder: Path, seed: int, verify: Verify = findings) -> None:
        self.tally = Tally()
        self._folder = folder
        self._seed = seed
        self._verify = verify

    async def run(self, share: float = 1.0) -> None:
        """All of it, or a share: the same kinds, fewer of each."""
        chance = random.Random(self._seed)
        whole = await grow(self._folder / "whole", events=EVENTS, seed=self._seed, crashed=False)
        crashed = await grow(self._folder / "crashed", events=EVENTS, seed=self._seed + 1, crashed=True)
        database, wal = _size(whole, DATABASE), _size(crashed, WAL)
        await self._damage(whole, flips(DATABASE, database, int(DATABASE_FLIPS * share), chance))
        await self._damage(crashed, flips(WAL, wal, int(WAL_FLIPS * share), chance))
        await self._damage(whole, flips(ANCHOR, _size(whole, ANCHOR), int(ANCHOR_FLIPS * share), chance))
        for specimen, other in ((whole, crashed), (crashed, whole)):
            await self._damage(specimen, _some(pages(specimen), share, chance))
            await self._damage(specimen, _some(cuts(DATABASE, _size(specimen, DATABASE)), share, chance))
            await self._damage(specimen, files(specimen, other))
        await self._damage(crashed, _some(cuts(WAL, wal), share, chance))

    async def flip_only(self, times: int) -> None:
        """Bit flips in the database alone."""
        chance = random.Random(self._seed)
        whole = await grow(self._folder / "whole", events=EVENTS, seed=self._seed, crashed=False)
        await self._damage(whole, flips(DATABASE, _size(whole, DATABASE), times, chance))

    async def _damage(self, specimen: Specimen, damages: Iterator[tuple[str, Damaging]]) -> None:
        judge = Judge(specimen, self.tally, self._verify)
        for what, damage in damages:
            folder = specimen.copy(self._folder / "damaged")
            damage(folder)
            await judge.look(folder, what)


def _some(
    damages: Iterator[tuple[str, Damaging]], share: float, chance: random.Random
) -> Iterator[tuple[str, Damaging]]:
    return (damage for damage in damages if share >= 1 or chance.random() < share)


def _size(specimen: Specimen, name: str) -> int:
    return (specimen.folder / name).stat().st_size


def campaign(share: float, seed: int) -> Verdict:
    """All damage, or a share of it."""
    with scratch() as folder:
        damaging, began = DamageCampaign(folder, seed), time.monotonic()
        asyncio.run(damaging.run(share))
        took = time.monotonic() - began
        closed = in_a_process_of_its_own(folder / "closed")
    tally = damaging.tally
    tally.trials += closed.trials
    tally.violations += closed.violations
    return _verdict(tally, f"--share {share} --seed {seed}", f"{tally.trials / took:,.0f} damages a second")


def _verdict(tally: Tally, arguments: str, detail: str) -> Verdict:
    return Verdict(
        campaign="B5 damaged files",
        trials=tally.trials,
        unit="damages",
        counts={
            "changed what is stored": tally.changed,
            "refused": tally.refused,
            "set streams apart": tally.set_apart,
        },
        details=(detail,),
        violations=tally.violations,
        void=() if tally.changed and tally.refused and tally.set_apart else ("nothing was damaged",),
        repeat=f"python -m campaigns damage {arguments}",
    )


def control(seed: int) -> Verdict:
    """With SQLite's own check instead of ours, most flips go unnoticed."""
    with scratch() as folder:
        damaging = DamageCampaign(folder, seed, only_integrity_check)
        asyncio.run(damaging.flip_only(CONTROL_FLIPS))
    return as_control(
        _verdict(damaging.tally, f"--seed {seed}", ""), "PRAGMA integrity_check instead of digests"
    )


def run(share: float, seed: int) -> Iterator[Verdict]:
    """The campaign and its control."""
    yield campaign(share, seed)
    yield control(seed)
