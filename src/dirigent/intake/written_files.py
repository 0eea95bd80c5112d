"""Folders of definitions: every YAML file in one is a definition."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from dirigent.domain.errors import InvalidDefinition, NotFound

FILE_BYTES_MAX = 256 * 1024


def texts_in(folder: Path | None) -> Iterator[tuple[Path, str]]:
    """Every YAML file of a folder by name, with its text; none without a folder.

    Raises `NotFound` where the folder is not there and `InvalidDefinition` for what is no text.
    """
    if folder is None:
        return
    if not folder.is_dir():
        raise NotFound(f"There is no folder {folder}.", code="file_not_found")
    for file in sorted(path for path in folder.iterdir() if path.suffix in (".yaml", ".yml")):
        yield file, _text(file)


def _text(file: Path) -> str:
    if file.stat().st_size > FILE_BYTES_MAX:
        raise InvalidDefinition(f"{file} is larger than {FILE_BYTES_MAX // 1024} KB.")
    try:
        return file.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise InvalidDefinition(f"{file} is not text in UTF-8.", fix="Save it as UTF-8.") from error
