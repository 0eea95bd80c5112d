"""All workflows of a tenant as files, and back: every version, what is in force, what is paused.

A folder or a .zip file holds `_contents.yaml`, which says what there is, and one file per version. A folder
of workflow files without it is taken in as well, each file as one workflow.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from pathlib import Path

import msgspec
import yaml

from dirigent.domain.errors import InvalidInput, NotFound
from dirigent.intake.library.store import Library, Saved, WorkflowStore, short_name
from dirigent.intake.workflows import FILE_MAX_BYTES, files_of, read_text
from dirigent.ports import WorkflowRow

CONTENTS = "_contents.yaml"
FORMAT = 1
FILES_MAX = 20_000
BYTES_MAX = 256 * 1024 * 1024
_WHEN = (1980, 1, 1, 0, 0, 0)  # so that the same workflows give the same bytes


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One version in an archive: the file that holds it, and what was said when it was saved."""

    file: str
    content_hash: str
    note: str = ""


class Held(msgspec.Struct, frozen=True, kw_only=True):
    """One workflow in an archive: its versions in order, which is in force, and whether it is paused."""

    name: str
    in_force: int
    paused: bool
    versions: list[Entry]


class Contents(msgspec.Struct, frozen=True, kw_only=True):
    """What `_contents.yaml` says."""

    format: int
    workflows: list[Held]


def export_all(store: WorkflowStore, tenant: str, target: Path) -> int:
    """Write every workflow of a tenant to a new or empty folder, or a .zip file; returns how many."""
    files = archived(store, tenant)
    if target.suffix == ".zip":
        target.write_bytes(_zipped(files))
    else:
        _write_folder(files, target)
    return len(store.rows(tenant))


def archived(store: WorkflowStore, tenant: str) -> dict[str, str]:
    """The files of an archive by name, in a fixed order."""
    files: dict[str, str] = {}
    held = [_held(store, row, files) for row in store.rows(tenant)]
    contents = msgspec.to_builtins(Contents(format=FORMAT, workflows=held))
    return {CONTENTS: yaml.safe_dump(contents, sort_keys=False, allow_unicode=True), **files}


async def import_all(store: Library, tenant: str, source: Path, *, actor: str) -> list[Saved]:
    """Take in what `export_all` wrote, or a folder of workflow files; returns what was saved, in order.

    What is there already stays and is not saved twice. Raises `InvalidInput` where a file is not what the
    archive says it is, before anything is taken in.
    """
    files = read_archive(source)
    if CONTENTS not in files:
        return [
            await store.save(text, tenant=tenant, actor=actor, source=str(source / name))
            for name, text in files.items()
        ]
    contents = _contents(files[CONTENTS])
    for held in contents.workflows:
        _check(store, held, files)
    saved: list[Saved] = []
    for held in contents.workflows:
        saved += await _take_in(store, tenant, held, files, actor)
    return saved


def read_archive(source: Path) -> dict[str, str]:
    """The files of a folder or a .zip file by name; raises `NotFound` and `InvalidInput`."""
    if source.is_dir():
        return {file.name: read_text(file) for file in files_of(source)}
    if not source.is_file():
        raise NotFound(f"There is no folder or file {source}.", code="file_not_found")
    try:
        with zipfile.ZipFile(source) as archive:
            return _unzipped(archive, source)
    except zipfile.BadZipFile as error:
        raise InvalidInput(f"{source} is no .zip file.", fix="Name a folder, or a .zip file.") from error


def _held(store: WorkflowStore, row: WorkflowRow, files: dict[str, str]) -> Held:
    entries = []
    for version in store.versions(row.tenant, row.name):
        stored = store.get(row.tenant, row.name, version.version)
        file = _free_name(short_name(row.name), version.version, files)
        files[file] = stored.source
        entries.append(Entry(file=file, content_hash=version.content_hash, note=version.note))
    return Held(name=row.name, in_force=row.version, paused=row.state == "paused", versions=entries)


def _free_name(short: str, version: int, files: Mapping[str, str]) -> str:
    name, number = f"{short}.v{version}.yaml", 2
    while name in files:
        name, number = f"{short}-{number}.v{version}.yaml", number + 1
    return name


async def _take_in(
    store: Library, tenant: str, held: Held, files: Mapping[str, str], actor: str
) -> list[Saved]:
    saved = []
    for entry in held.versions:
        saved.append(
            await store.save(
                files[entry.file],
                tenant=tenant,
                actor=actor,
                note=entry.note,
                source=entry.file,
                known_agents=False,
            )
        )
    row = store.find(tenant, held.name)
    wanted = saved[held.in_force - 1].version
    if row.version != wanted:
        await store.rollback(tenant, held.name, wanted, actor=actor, note="as it was exported")
    if held.paused and row.state != "paused":
        await store.pause(tenant, held.name, actor=actor, reason="as it was exported")
    return saved


def _contents(text: str) -> Contents:
    try:
        contents = msgspec.convert(yaml.safe_load(text), Contents)
    except (yaml.YAMLError, msgspec.ValidationError) as error:
        said = str(error).splitlines()[0]
        raise InvalidInput(f"{CONTENTS} cannot be read: {said}.", fix="Export again.") from error
    if contents.format != FORMAT:
        raise InvalidInput(
            f"{CONTENTS} is of format {contents.format}, not {FORMAT}.", fix="Use the Dirigent that wrote it."
        )
    return contents


def _check(store: Library, held: Held, files: Mapping[str, str]) -> None:
    """Whether every version is there, and is what it is said to be."""
    wrong = ""
    if not 1 <= held.in_force <= len(held.versions):
        wrong = f"{held.name!r} has no version {held.in_force}"
    for entry in held.versions:
        if entry.file not in files:
            wrong = f"{CONTENTS} names {entry.file}, which is not there"
            break
        definition = store.check(files[entry.file], source=entry.file, known_agents=False)
        if (definition.name, definition.content_hash) != (held.name, entry.content_hash):
            wrong = f"{entry.file} is not the version of {held.name!r} that {CONTENTS} says it is"
    if wrong:
        fix = f"Export again; or take {CONTENTS} out, and each file is taken in as a workflow."
        raise InvalidInput(f"{wrong}.", fix=fix, field=CONTENTS)


def _write_folder(files: Mapping[str, str], target: Path) -> None:
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise InvalidInput(f"{target} is not an empty folder.", fix="Name a new one.", field="target")
    target.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (target / name).write_text(text, encoding="utf-8")


def _zipped(files: Mapping[str, str]) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in files.items():
            archive.writestr(zipfile.ZipInfo(name, _WHEN), text.encode(), zipfile.ZIP_DEFLATED)
    return stream.getvalue()


def _unzipped(archive: zipfile.ZipFile, source: Path) -> dict[str, str]:
    entries = [entry for entry in archive.infolist() if not entry.is_dir()]
    if len(entries) > FILES_MAX or sum(entry.file_size for entry in entries) > BYTES_MAX:
        raise InvalidInput(f"{source} holds more than an export can hold.", fix="Take it in by parts.")
    files: dict[str, str] = {}
    for entry in entries:
        if entry.file_size > FILE_MAX_BYTES and entry.filename != CONTENTS:
            raise InvalidInput(
                f"{entry.filename} is larger than {FILE_MAX_BYTES // 1024} KB.", fix="Split it."
            )
        files[entry.filename] = _text(archive.read(entry), entry.filename)
    return files


def _text(content: bytes, name: str) -> str:
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        raise InvalidInput(f"{name} is not text in UTF-8.", fix="Save it as UTF-8.") from error
