"""Processes in which actions run, killed when their time is over: a thread cannot be ended, a process can."""

from __future__ import annotations

import asyncio
import contextlib
import multiprocessing
import signal
import threading
from collections.abc import Callable
from concurrent.futures import Executor, Future
from functools import partial
from multiprocessing.connection import Connection
from typing import Any

from dirigent.domain.errors import TransientError
from dirigent.execution.threads import Threads, called

Work = Callable[[], Any]

_spawn = multiprocessing.get_context("spawn")


class Processes:
    """Processes made as they are needed, and so many at once; each is used again by the next call."""

    def __init__(self, most: int) -> None:
        self._waiters = Threads(most, "dirigent-process")
        self._idle: list[_Worker] = []
        self._under_way: set[_Errand] = set()
        self._closed = False

    async def run(self, work: Work, name: str) -> Any:
        """What a function gives in another process. Raises `TransientError` where that process ends.

        Function and result are pickled. Where the caller waits no longer the process is killed, and the next
        call has another.
        """
        errand = _Errand(self, name)
        try:
            return await asyncio.get_running_loop().run_in_executor(errand, work)
        except asyncio.CancelledError:
            errand.break_off()
            raise

    def submit(self, errand: _Errand, work: Work) -> Future[Any]:
        """Have an errand done as soon as there is a process for it."""
        return self._waiters.submit(partial(self._serve, errand, work))

    def close(self) -> None:
        """Begin nothing more, and end what runs."""
        self._closed = True
        self._waiters.close()
        for errand in list(self._under_way):
            errand.break_off()
        while self._idle:
            self._idle.pop().end()

    def _serve(self, errand: _Errand, work: Work) -> Any:
        self._under_way.add(errand)
        try:
            worker = self._idle.pop()
        except IndexError:
            worker = _Worker()
        try:
            return errand.run(worker, work)
        finally:
            self._under_way.discard(errand)
            if self._closed:
                worker.end()
            elif worker.sound:
                self._idle.append(worker)


class _Errand(Executor):
    """Takes one call for an event loop; it may be broken off from another thread at any moment."""

    def __init__(self, processes: Processes, name: str) -> None:
        self._processes = processes
        self._name = name
        self._worker: _Worker | None = None
        self._over = False
        self._lock = threading.Lock()

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        return self._processes.submit(self, partial(fn, *args, **kwargs))

    def run(self, worker: _Worker, work: Work) -> Any:
        with self._lock:
            if self._over:
                raise asyncio.CancelledError
            self._worker = worker
        try:
            return worker.ask(work)
        except (EOFError, OSError) as error:
            raise TransientError(f"The process that ran {self._name} ended.") from error
        finally:
            with self._lock:
                self._worker = None

    def break_off(self) -> None:
        with self._lock:
            self._over = True
            if self._worker is not None:
                self._worker.end()


class _Worker:
    """A process and our end of the pipe to it; `sound` until it has ended."""

    def __init__(self) -> None:
        self.sound = True
        self._pipe, theirs = _spawn.Pipe()
        self._process = _spawn.Process(target=_work, args=(theirs,), name="dirigent-action", daemon=True)
        self._process.start()
        theirs.close()

    def ask(self, work: Work) -> Any:
        """What it gives; raises `EOFError` or `OSError` where the process ended before it said so."""
        try:
            self._pipe.send(work)
            good, given = self._pipe.recv()
        except (EOFError, OSError):
            self.end()
            self._process.join()
            raise
        if good:
            return given
        raise given

    def end(self) -> None:
        """Kill it, whatever it is doing."""
        self.sound = False
        self._process.kill()


def _work(pipe: Connection) -> None:
    """In the process: one call after the other, until nobody is at the other end."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # whoever started us decides what is broken off
    with contextlib.suppress(EOFError, OSError):
        while True:
            work: Work = pipe.recv()
            good, given = _done(work)
            try:
                pipe.send((good, given))
            except (EOFError, OSError):
                raise
            except Exception as error:  # it cannot be pickled
                pipe.send((False, RuntimeError(f"{given!r} cannot be told: {error}")))


def _done(work: Work) -> tuple[bool, Any]:
    try:
        return True, called(work)
    except Exception as error:
        return False, error
