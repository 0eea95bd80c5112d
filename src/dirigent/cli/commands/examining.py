"""`dirigent doctor`."""

from __future__ import annotations

import platform
import shutil
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from dirigent import __version__
from dirigent.cli.failures import DONE, FAILED
from dirigent.cli.options import DEFAULT, Common
from dirigent.cli.screen import Screen

if TYPE_CHECKING:
    from dirigent.ports import Records
    from dirigent.settings import Settings

PACKAGES = ("apsw-sqlite3mc", "msgspec", "pydantic", "fastapi", "uvicorn", "scikit-learn")
EXECUTIONS_LOOKED_AT = 1000
DISK_BYTES_MIN = 512 * 1024 * 1024


def doctor_command(
    *,
    org: Annotated[
        str | None, Parameter(help="Whose records; else the default tenant's and those of all runs.")
    ] = None,
    common: Common = DEFAULT,
) -> int:
    """Examine."""
    screen = common.screen()
    settings = common.settings()
    found = _examined(settings, org)
    if common.data is not None:
        found["settings"]["data_folder"]["source"] = "--data"
    if screen.json:
        screen.document(found)
    else:
        _show(screen, found)
    return FAILED if found["problems"] else DONE


def _examined(settings: Settings, org: str | None) -> dict[str, Any]:
    folder = _folder(settings)
    return {
        "versions": _versions(),
        "data_folder": folder,
        "delivery": settings.allow_delivery,
        "records": _records(settings, org) if folder["exists"] else [],
        "settings": _settings(settings),
        "not_used": settings.not_used(),
        "problems": _problems(folder),
    }


def _versions() -> dict[str, str]:
    import apsw

    found = {
        "dirigent": __version__,
        "python": platform.python_version(),
        "sqlite": apsw.sqlite_lib_version(),
    }
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "not installed"
    if find_spec("sklearn") is None:
        found["scikit-learn"] = (
            "not installed: ranking goes by rule; `pip install dirigent[ml]` brings the model"
        )
    return found


def _folder(settings: Settings) -> dict[str, Any]:
    from dirigent.bootstrap.beside import holder_of, journal_file

    folder = settings.data_folder
    journal = journal_file(folder)
    holder = holder_of(folder)
    return {
        "path": str(folder.resolve()),
        "exists": folder.is_dir(),
        "journal_bytes": _size(journal) + _size(journal.with_name(f"{journal.name}-wal")),
        "records_bytes": _size(folder / "records.db"),
        "disk_free_bytes": shutil.disk_usage(_existing(folder.resolve())).free,
        "held_by": holder,
        "log": str(folder / "dirigent.log"),
    }


def _records(settings: Settings, org: str | None) -> list[dict[str, Any]]:
    """By tenant: of when the books speak, and what was imported when."""
    from dirigent.bootstrap.beside import open_records

    if not (settings.data_folder / "records.db").is_file():
        return []
    with open_records(settings) as records:
        found = [_books(records, tenant) for tenant in _tenants(settings, org)]
    return [books for books in found if books["imports"] or books["as_of"] or books["tenant"] == org]


def _books(records: Records, tenant: str) -> dict[str, Any]:
    as_of = records.as_of(tenant)
    imports = records.fetch(tenant, "imports", columns=("source", "rows_taken", "imported_at"))
    return {"tenant": tenant, "as_of": as_of.isoformat() if as_of else None, "imports": imports}


def _tenants(settings: Settings, org: str | None) -> list[str]:
    """The one asked for, or the default one and all that have run something."""
    from dirigent.bootstrap.beside import journal_file, reading

    if org is not None:
        return [org]
    if not journal_file(settings.data_folder).is_file():
        return [settings.tenant]
    with reading(settings) as books:
        ran = {row.tenant for row in books.engine.executions(limit=EXECUTIONS_LOOKED_AT)}
    return sorted({settings.tenant, *ran})


def _settings(settings: Settings) -> dict[str, dict[str, Any]]:
    """Every setting with its value and where it comes from."""
    shown = settings.shown()
    own = {
        "data_folder": ("DIRIGENT_DATA", str(settings.data_folder)),
        "tenant": ("DIRIGENT_TENANT", settings.tenant),
        "allow_delivery": ("DIRIGENT_ALLOW_DELIVERY", settings.allow_delivery),
        "policies": ("DIRIGENT_POLICIES", str(settings.policies or "")),
        "host": ("DIRIGENT_HOST", settings.host),
        "port": ("PORT", settings.port),
        "log_level": ("LOG_LEVEL", settings.log_level),
    }
    found = {
        name: {"value": value, "source": variable if variable in shown["env"] else "default"}
        for name, (variable, value) in own.items()
    }
    file = str(settings.config_file) if settings.config_file else "default"
    for name, value in shown["config"].items():
        source = shown["sources"].get(name, "default")
        told = file if source == "file" else source
        found |= {key: {"value": leaf, "source": told} for key, leaf in _leaves(name, value)}
    return found


def _leaves(name: str, value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _leaves(f"{name}.{key}", inner)
    else:
        yield name, value


def _problems(folder: dict[str, Any]) -> list[str]:
    problems = []
    if folder["disk_free_bytes"] < DISK_BYTES_MIN:
        problems.append(
            f"Only {folder['disk_free_bytes'] // 1024**2} MB are left on the disk of the data folder."
        )
    path = _existing(Path(folder["path"]))
    if not _writable(path):
        problems.append(f"{path} cannot be written.")
    return problems


def _show(screen: Screen, found: dict[str, Any]) -> None:
    from dirigent.cli.screen import facts, table

    screen.heading("Versions")
    screen.show(facts(found["versions"]))
    screen.heading("Data folder")
    screen.show(facts(_folder_facts(found["data_folder"])))
    screen.heading("Delivery")
    on = found["delivery"]
    screen.say(
        "  on: approved messages leave"
        if on
        else "  off: every message is held (DIRIGENT_ALLOW_DELIVERY=1 turns it on)"
    )
    screen.heading("Records")
    for books in found["records"]:
        screen.say(f"  {books['tenant']}: as of {books['as_of'] or 'nothing: there are no orders'}")
        for entry in books["imports"]:
            screen.say(
                f"    {entry['source']}: {entry['rows_taken']:,} rows, imported {entry['imported_at']}"
            )
    if not found["records"]:
        screen.say("  none; `dirigent import FOLDER` brings them")
    screen.heading("Settings")
    rows = [(name, entry["value"], entry["source"]) for name, entry in found["settings"].items()]
    screen.show(table(("setting", "value", "from"), rows))
    for sentence in found["not_used"]:
        screen.warn(f"note: {sentence}")
    for problem in found["problems"]:
        screen.warn(f"problem: {problem}")
    if not found["problems"]:
        screen.say("No problem was found.")


def _folder_facts(folder: dict[str, Any]) -> dict[str, str]:
    holder = folder["held_by"]
    held = "by nobody"
    if holder is not None:
        held = f"by process {holder.pid} ({holder.command}) since {holder.since}"
        held += f", serving {holder.url}" if holder.url else ""
    return {
        "path": folder["path"] + ("" if folder["exists"] else "  (not there yet)"),
        "journal": _bytes(folder["journal_bytes"]),
        "records": _bytes(folder["records_bytes"]),
        "held": held,
        "disk free": _bytes(folder["disk_free_bytes"]),
        "log": folder["log"],
    }


def _bytes(number: int) -> str:
    if number < 1024 * 1024:
        return f"{number / 1024:,.0f} KB"
    return f"{number / 1024**2:,.1f} MB" if number < 1024**3 else f"{number / 1024**3:,.1f} GB"


def _size(file: Path) -> int:
    return file.stat().st_size if file.is_file() else 0


def _existing(folder: Path) -> Path:
    """The folder, or the nearest one above it that is there."""
    return next(path for path in (folder, *folder.parents) if path.exists())


def _writable(folder: Path) -> bool:
    import os

    return os.access(folder, os.W_OK)
