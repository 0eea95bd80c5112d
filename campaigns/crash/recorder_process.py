"""The outside world: takes calls, does what they ask for, and misbehaves by chance. It is never killed.

Usage: python -m campaigns.crash.recorder_process FOLDER SOCKET SEED [--no-dedupe] [--well-behaved]

How it answers one call hangs on the seed, the key and how often the key was seen, so a seed gives the same
behaviour in every run.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import random
import time
from collections import Counter, defaultdict
from pathlib import Path
from typing import BinaryIO

import msgspec

from campaigns.crash.evidence import RECORDER_LOG, Witnessed
from campaigns.crash.lines import LINE_BYTES_MAX, Message, line, read

SERVICE_MS = (2, 25)
DELAY_MS = (100, 400)

# How a call is answered, in percent.
REPLIES = {
    "ok": 76,
    "fail_before_apply": 4,
    "apply_then_drop_reply": 6,
    "apply_then_error": 4,
    "delay": 6,
    "duplicate_reply": 4,
}


class Recorder:
    """Applies effects, honours keys where the effect is keyed, and logs every call."""

    def __init__(self, log: BinaryIO, seed: str, *, dedupe: bool = True, well_behaved: bool = False) -> None:
        self._log = log
        self._seed = seed
        self._dedupe = dedupe
        self._replies = {"ok": 100} if well_behaved else REPLIES
        self._seen: Counter[str] = Counter()
        self._results: dict[str, str] = {}
        self._happened: dict[str, str] = {}
        self._under_way: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer the one request of a connection."""
        with contextlib.closing(writer), contextlib.suppress(ConnectionError):
            request = await read(reader)
            if request is None:
                return
            if request["do"] == "look":
                reply = {"result": await self._look(request)}
                writer.write(line(reply))
            else:
                await self._act(request, writer)
            await writer.drain()

    async def _look(self, request: Message) -> str | None:
        """What came of an effect; answers only when every call that arrived before has been settled."""
        place = request["place"]
        async with self._under_way[place]:
            return self._happened.get(place)

    async def _act(self, request: Message, writer: asyncio.StreamWriter) -> None:
        call = msgspec.convert(request["call"] | {"order": time.monotonic_ns()}, Witnessed)
        self._seen[call.key] += 1
        chance = random.Random(f"{self._seed}/{call.key}/{self._seen[call.key]}")
        (reply,) = chance.choices(list(self._replies), weights=list(self._replies.values()))
        async with self._under_way[request["place"]]:
            await asyncio.sleep(chance.uniform(*(DELAY_MS if reply == "delay" else SERVICE_MS)) / 1000)
            result = self._apply(call, request["place"], reply)
        if reply in ("fail_before_apply", "apply_then_error"):
            writer.write(line({"error": 503}))
        elif reply != "apply_then_drop_reply":
            answer = line({"result": result})
            writer.write(answer * 2 if reply == "duplicate_reply" else answer)

    def _apply(self, call: Witnessed, place: str, reply: str) -> str:
        known = self._results.get(call.key) if self._dedupe and call.effect == "keyed" else None
        applied = known is None and reply != "fail_before_apply"
        result = known or f"{call.key[:8]}-{self._seen[call.key]}"
        if applied:
            self._results[call.key] = self._happened[place] = result
        noted = msgspec.structs.replace(call, applied=applied, absorbed=known is not None, reply=reply)
        self._log.write(msgspec.json.encode(noted) + b"\n")
        return result


async def serve(folder: Path, socket: Path, seed: str, *, dedupe: bool, well_behaved: bool) -> None:
    """Listen until the process is ended."""
    with (folder / RECORDER_LOG).open("ab", buffering=0) as log:
        recorder = Recorder(log, seed, dedupe=dedupe, well_behaved=well_behaved)
        server = await asyncio.start_unix_server(recorder.take, socket, limit=LINE_BYTES_MAX)
        print("ready", flush=True)
        async with server:
            await asyncio.to_thread(os.read, 0, 1)  # until the campaign lets go of our standard input


def main() -> None:
    """Read the arguments and listen."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("socket", type=Path)
    parser.add_argument("seed")
    parser.add_argument("--no-dedupe", action="store_true")
    parser.add_argument("--well-behaved", action="store_true")
    given = parser.parse_args()
    asyncio.run(
        serve(
            given.folder,
            given.socket,
            given.seed,
            dedupe=not given.no_dedupe,
            well_behaved=given.well_behaved,
        )
    )


if __name__ == "__main__":
    main()
