"""Has everything imported, and forks a process of the campaign whenever it is asked to.

Usage: python -m campaigns.crash.nursery_process, with a Unix socket as standard input

Each request is one JSON line with the module, its arguments and its folder, and brings three file descriptors
that become the child's standard input, output and error. The answers are the child's id and, when it has
ended, its exit status as `subprocess` gives it.
"""

from __future__ import annotations

import gc
import importlib
import os
import selectors
import signal
import socket
import sys
from typing import Any

import msgspec

from campaigns.crash import client_process, engine_process, recorder_process

MODULES = {module.__name__: module for module in (client_process, engine_process, recorder_process)}
REQUEST_BYTES_MAX = 65_536


def main() -> None:
    """Fork until the socket is closed."""
    importlib.import_module("concurrent.futures.thread")  # what asyncio would import in every child
    gc.freeze()
    asking = socket.socket(fileno=sys.stdin.fileno())
    woken, wake = os.pipe()
    for end in (woken, wake):
        os.set_blocking(end, False)
    signal.set_wakeup_fd(wake)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    with selectors.DefaultSelector() as selector:
        selector.register(asking, selectors.EVENT_READ)
        selector.register(woken, selectors.EVENT_READ)
        while True:
            for key, _ in selector.select():
                if key.fileobj is asking:
                    if not _take(asking):
                        return
                else:
                    os.read(woken, 4096)
                    _bury(asking)


def _take(asking: socket.socket) -> bool:
    text, descriptors, _, _ = socket.recv_fds(asking, REQUEST_BYTES_MAX, 3)
    if not text:
        return False
    request = msgspec.json.decode(text)
    child = os.fork()
    if child == 0:
        _become(asking, request, descriptors)
    for descriptor in descriptors:
        os.close(descriptor)
    asking.sendall(msgspec.json.encode({"n": request["n"], "pid": child}) + b"\n")
    return True


def _become(asking: socket.socket, request: dict[str, Any], descriptors: list[int]) -> None:
    """Go on as the process that was asked for; never returns."""
    status = 1
    try:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        for number, descriptor in enumerate(descriptors):
            os.dup2(descriptor, number)
            os.close(descriptor)
        os.chdir(request["folder"])
        sys.argv = [request["module"], *request["arguments"]]
        MODULES[request["module"]].main()
        status = 0
    except SystemExit as end:
        status = int(end.code or 0)
    except BaseException:
        sys.excepthook(*sys.exc_info())
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def _bury(asking: socket.socket) -> None:
    while True:
        try:
            child, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if child == 0:
            return
        ended = {"pid": child, "status": os.waitstatus_to_exitcode(status)}
        asking.sendall(msgspec.json.encode(ended) + b"\n")


if __name__ == "__main__":
    main()
