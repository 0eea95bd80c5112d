"""`dirigent key`: make a key, encrypt a data folder with it, take another one, and say how things stand."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from dirigent.cli.options import DEFAULT, Common


def _examples(*lines: str) -> str:
    word = "Example" if len(lines) == 1 else "Examples"
    return "\n".join([f"{word}:", *(f"  dirigent {line}" for line in lines)])


app = App(
    name="key",
    help_epilogue=_examples("key new --file dirigent.key", "key status", "key rotate --to-file next.key"),
    help_format="plaintext",
)


@app.command(
    name="new", help_epilogue=_examples("key new --file dirigent.key", "key new"), help_format="plaintext"
)
def new_command(
    *,
    file: Annotated[
        Path | None, Parameter(help="Where to write it, for its owner alone; else it is printed.")
    ] = None,
    common: Common = DEFAULT,
) -> None:
    """Make a random key. Keep it apart from the data folder: without it nothing there can be read again."""
    from dirigent.bootstrap.keys import write_new_key

    screen = common.screen()
    key = write_new_key(file)
    if screen.json:
        screen.document({"key": key} if file is None else {"file": str(file)})
    elif file is None:
        screen.say(key)
    else:
        screen.say(f"A new key is in {file}. Name it in DIRIGENT_KEY_FILE, and keep a copy in another place.")


@app.command(name="encrypt", help_epilogue=_examples("key encrypt"), help_format="plaintext")
def encrypt_command(*, common: Common = DEFAULT) -> None:
    """Encrypt the data folder with the key in DIRIGENT_KEY or DIRIGENT_KEY_FILE.

    Nobody else may work in the folder meanwhile. Where it was cut off, call it again.
    """
    from dirigent.bootstrap.keys import encrypt_folder

    screen, settings = common.screen(), common.settings()
    done: list[str] = []
    id = encrypt_folder(settings, lambda file: done.append(file.name))
    if screen.json:
        screen.document({"folder": str(settings.data_folder), "key": id, "files": done})
        return
    screen.say(f"{settings.data_folder} is encrypted with the key {id}: {', '.join(done)}.")
    screen.say("Plain as before: older backups and archives, and what the disk keeps of deleted files.")


@app.command(name="rotate", help_epilogue=_examples("key rotate --to-file next.key"), help_format="plaintext")
def rotate_command(
    *,
    to_file: Annotated[Path, Parameter(help="A file with the key to encrypt with from now on.")],
    common: Common = DEFAULT,
) -> None:
    """Encrypt the data folder anew with another key; the one it has now is given as always.

    Nobody else may work in the folder meanwhile. Where it was cut off, call it again with both keys.
    """
    from dirigent.bootstrap.keys import rotate_key

    screen, settings = common.screen(), common.settings()
    done: list[str] = []
    id = rotate_key(settings, to_file, lambda file: done.append(file.name))
    if screen.json:
        screen.document({"folder": str(settings.data_folder), "key": id, "files": done})
        return
    told = f": {', '.join(done)}" if done else "; there was nothing left to do"
    screen.say(f"{settings.data_folder} is encrypted with the key {id}{told}.")
    screen.say(f"Name {to_file} in DIRIGENT_KEY_FILE from now on; backups made before need the old key.")


@app.command(
    name="status", help_epilogue=_examples("key status", "key status -o json"), help_format="plaintext"
)
def status_command(*, common: Common = DEFAULT) -> None:
    """Whether the data folder is encrypted, with which key, and whether that is the one given."""
    from dirigent.bootstrap.keys import status_of

    screen, settings = common.screen(), common.settings()
    found = status_of(settings)
    if screen.json:
        screen.document({"folder": str(settings.data_folder), "encryption": found})
        return
    screen.say(f"{settings.data_folder}: {found.told}")
