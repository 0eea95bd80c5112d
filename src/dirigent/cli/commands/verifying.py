"""`dirigent verify`."""

from __future__ import annotations

from dirigent.cli.failures import DONE, FAILED, complain
from dirigent.cli.options import DEFAULT, Common

DAMAGES_SHOWN = 50


def verify_command(
    *,
    common: Common = DEFAULT,
) -> int:
    """Verify. Nothing is written, and another process may hold the folder meanwhile."""
    from dirigent.bootstrap.beside import verify_journal
    from dirigent.cli.screen import table

    screen = common.screen()
    settings = common.settings()
    folder = settings.data_folder
    found = verify_journal(settings)
    if screen.json:
        screen.document({"ok": not found.damages, "folder": str(folder), "verification": found})
        return FAILED if found.damages else DONE
    if not found.damages:
        screen.say(f"{folder}: {found.events:,} events in {found.streams:,} streams, every digest verifies.")
        return DONE
    rows = [(damage.stream, damage.version, damage.reason) for damage in found.damages[:DAMAGES_SHOWN]]
    screen.show(table(("stream", "version", "what is wrong"), rows, right=("version",)))
    streams = sorted({damage.stream for damage in found.damages})
    complain(
        screen,
        f"{folder}: {len(found.damages)} findings in {len(streams)} streams: {', '.join(streams[:5])}.",
        "Nothing was repaired. Restore the folder from a backup; executions of other streams are whole.",
    )
    return FAILED
