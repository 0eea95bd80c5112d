"""`dirigent explain`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dirigent.cli.options import DEFAULT, Common
from dirigent.cli.screen import Screen

if TYPE_CHECKING:
    from dirigent.intake.explaining import Explanation


def explain_command(
    code: str | None = None,
    /,
    *,
    common: Common = DEFAULT,
) -> None:
    """Explain.

    Parameters
    ----------
    code
        A code such as WF018, WL001 or data_folder_busy; else all of them are listed.
    """
    from dirigent.cli.screen import table
    from dirigent.intake.explaining import explain_code, explanations

    screen = common.screen()
    if code is not None:
        found = explain_code(code)
        if screen.json:
            screen.document(found)
        else:
            _show(screen, found)
        return
    known = explanations()
    if screen.json:
        screen.document(list(known.values()))
        return
    rows = [(one.code, one.kind, one.summary) for one in known.values()]
    screen.show(table(("code", "kind", "what it says"), rows, whole=("code",)))


def _show(screen: Screen, found: Explanation) -> None:
    screen.heading(f"{found.code}: {found.summary}")
    screen.say()
    screen.say(found.why)
    for title, example in (("Wrong", found.wrong), ("Right", found.right)):
        screen.heading(f"{title}:")
        for line in example.rstrip().splitlines():
            screen.say(f"    {line}")
