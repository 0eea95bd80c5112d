"""What a person sees: tables, facts and text on a terminal, or one JSON document."""

from __future__ import annotations

import os
import shutil
import sys
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

WIDTH_WITHOUT_TERMINAL = 120
STYLES = {
    "completed": "green",
    "succeeded": "green",
    "approved": "green",
    "sent": "green",
    "ok": "green",
    "partially_completed": "yellow",
    "waiting": "yellow",
    "waiting_approval": "yellow",
    "held": "yellow",
    "open": "yellow",
    "outcome_unknown": "red",
    "failed": "red",
    "blocked": "red",
    "rejected": "red",
    "cancelled": "red",
    "problem": "red",
    "running": "cyan",
    "skipped": "dim",
    "pending": "dim",
}


class Screen:
    """Where a command writes. `json` says that one document is wanted and nothing beside it."""

    def __init__(self, output: str = "table") -> None:
        self.json = output == "json"
        self.console = _console(stderr=False)
        self.errors = _console(stderr=True)

    @property
    def live(self) -> bool:
        """Whether a moving display makes sense."""
        return self.console.is_terminal and not self.json

    def say(self, text: str = "", style: str = "") -> None:
        """A line for people; nothing where JSON is wanted."""
        if not self.json:
            self.console.print(Text(visible(text), style=style), soft_wrap=not self.console.is_terminal)

    def heading(self, text: str) -> None:
        """A line above something."""
        if not self.json:
            self.console.print()
            self.console.print(Text(visible(text), style="bold"))

    def show(self, what: RenderableType) -> None:
        """Something that rich can draw."""
        if not self.json:
            self.console.print(what)

    def commands(self, lines: Iterable[tuple[str, str]]) -> None:
        """Commands to copy, each with what it is for: beside it, or above it where there is no room."""
        told = list(lines)
        widest = max((len(command) for command, _ in told), default=0)
        room = self.console.width - widest - 6
        for command, purpose in told:
            if len(purpose) <= room:
                self.show(Text(f"  {visible(command):<{widest}}   {visible(purpose)}", no_wrap=True))
            else:
                self.say(f"  {purpose}:", style="dim")
                self.say(f"    {command}")

    def document(self, data: Any) -> None:
        """The answer as JSON."""
        import msgspec

        from dirigent.domain.canonical import plain

        text = msgspec.json.format(msgspec.json.encode(plain(data)), indent=2).decode()
        try:
            sys.stdout.write(text + "\n")
            sys.stdout.flush()
        except BrokenPipeError:
            let_go_of_output()

    def warn(self, text: str) -> None:
        """A line on standard error."""
        self.errors.print(Text(visible(text)), soft_wrap=True)


def table(
    columns: Sequence[str],
    rows: Iterable[Sequence[Any]],
    *,
    right: Iterable[str] = (),
    whole: Iterable[str] = (),
) -> Table:
    """A table; cells are shown as they are, and a status in its colour.

    `right` names columns of numbers, `whole` those that are never broken, because one copies from them.
    """
    numbers, unbroken = set(right), {*right, *whole}
    made = Table(box=SIMPLE_HEAD, pad_edge=False, header_style="dim", show_edge=False)
    for name in columns:
        made.add_column(
            name,
            justify="right" if name in numbers else "left",
            overflow="fold",
            no_wrap=name in unbroken,
        )
    for row in rows:
        made.add_row(*(cell(value) for value in row))
    return made


def facts(pairs: Mapping[str, Any] | Iterable[tuple[str, Any]]) -> Table:
    """Names and values under each other."""
    made = Table.grid(padding=(0, 2))
    made.add_column(style="dim", no_wrap=True)
    made.add_column(overflow="fold")
    for name, value in dict(pairs).items():
        made.add_row(name, cell(value))
    return made


def quoted(text: str) -> Padding:
    """A text as it is, moved in."""
    return Padding(Text(visible(text), overflow="fold"), (0, 0, 0, 4), expand=False)


def letter_text(message: Mapping[str, Any]) -> str:
    """Headers and body of a stored message, as a mail program would show them."""
    head = "\n".join(f"{name}: {value}" for name, value in message["headers"].items())
    return f"{head}\n\n{message['body'].rstrip()}"


def cell(value: Any) -> Text:
    """One value: nothing for None, a status in its colour."""
    text = "" if value is None else visible(str(value))
    return Text(text, style=STYLES.get(text, ""))


def visible(text: str) -> str:
    """The text without characters that would steer the terminal; records are written by strangers."""
    return "".join(c if c in "\n\t" or unicodedata.category(c) not in ("Cc", "Cf") else "�" for c in text)


def shortened(text: str, length: int) -> str:
    """The text, cut off where it is longer."""
    return text if len(text) <= length else f"{text[: length - 1]}…"


def amount(value: float) -> str:
    """A sum of money without needless digits."""
    return f"{value:,.2f}" if value == round(value, 2) else f"{value:,.4f}"


def span(seconds: float) -> str:
    """A time as people say it: 40 ms, 1.4 s, 12 s, 3 min 20 s, 2 h 5 min."""
    if seconds < 0.95:
        return f"{round(seconds * 1000)} ms"
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes} min {rest} s" if rest else f"{minutes} min"
    return f"{minutes // 60} h {minutes % 60} min"


def let_go_of_output() -> None:
    """Nobody reads any more: from now on what is printed goes nowhere, and the work goes on."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)


class _Console(Console):
    """A console that takes a reader who has gone for no reason to stop."""

    def on_broken_pipe(self) -> None:
        let_go_of_output()


def _console(*, stderr: bool) -> Console:
    console = _Console(stderr=stderr, markup=False, highlight=False, emoji=False)
    if not console.is_terminal:
        console.width = shutil.get_terminal_size((WIDTH_WITHOUT_TERMINAL, 24)).columns
    return console
