"""The keys of agents' servers: those that are configured, else one for the programs of this user."""

from __future__ import annotations

import os
from pathlib import Path

from dirigent.domain.errors import InvalidInput
from dirigent.security.agent_keys import VARIABLE, new_key, read_keys
from dirigent.security.destinations import destination_of, is_loopback
from dirigent.settings import OTHERS, Settings


def keys_to_serve_with(settings: Settings) -> tuple[str, ...]:
    """The keys that a server accepts; on this machine alone one is made where none is configured.

    Raises `InvalidInput` where there is none and others could reach the server.
    """
    if settings.agent_keys:
        return _configured(settings)
    if not is_loopback(settings.host):
        raise InvalidInput(
            f"A server at {settings.host} can be reached from elsewhere and has no key.",
            fix=f"Set {VARIABLE} here and where it is called from; `dirigent agent key` makes one.",
            field=VARIABLE,
        )
    file = _key_file(settings)
    if not file.exists():
        _write_key(file)
    return _read_file(file)


def key_to_call_with(settings: Settings, address: str) -> str:
    """The key to send to an address; empty where there is none. One that was made here stays here."""
    if settings.agent_keys:
        return _configured(settings)[0]
    file = settings.agent_key_file
    if file is None or not is_loopback(destination_of(address).host) or not file.exists():
        return ""
    return next(iter(_read_file(file)), "")


def _configured(settings: Settings) -> tuple[str, ...]:
    return tuple(key.get_secret_value() for key in settings.agent_keys)


def _key_file(settings: Settings) -> Path:
    if settings.agent_key_file is None:
        raise InvalidInput(
            "There is no key, and no home to keep one in.",
            fix=f"Set {VARIABLE}; `dirigent agent key` makes one.",
            field=VARIABLE,
        )
    return settings.agent_key_file


def _write_key(file: Path) -> None:
    """Put a new key where only its owner reads it; whoever was first wins."""
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    beside = file.with_name(f"{file.name}.{os.getpid()}")
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w") as opened:
            opened.write(new_key() + "\n")
        if not file.exists():
            os.link(beside, file)
    except FileExistsError:
        pass
    finally:
        beside.unlink(missing_ok=True)


def _read_file(file: Path) -> tuple[str, ...]:
    try:
        status = file.stat()
        if status.st_mode & (OTHERS | OTHERS << 3) or status.st_uid != os.getuid():
            raise InvalidInput(
                f"{file} can be read or written by others.", fix=f"chmod 600 {file}", field=VARIABLE
            )
        return read_keys(file.read_text(), str(file))
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInput(f"{file} cannot be read ({error}).", field=VARIABLE) from error
