"""Which tables and columns callers may name, as the schema declares them, and how their values are kept."""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import apsw
import msgspec

from dirigent.domain.canonical import canonical_bytes
from dirigent.domain.errors import InvalidInput

TENANT = "tenant"
_TABLES = """
    SELECT name, type = 'view' FROM main.sqlite_schema
    WHERE type IN ('table', 'view') AND name NOT GLOB 'sqlite_*' AND name NOT GLOB '_*'
"""
INTEGER_MAX = 2**63 - 1


def _text(value: Any) -> str:
    if isinstance(value, str) and _is_unicode(value):
        return value
    raise ValueError("text")


def _is_unicode(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def _number(value: Any) -> int | float:
    if isinstance(value, float) and math.isfinite(value):
        return value
    try:
        return _integer(value)
    except ValueError:
        raise ValueError("a number") from None


def _integer(value: Any) -> int:
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) <= INTEGER_MAX:
        return value
    raise ValueError("a whole number")


def _boolean(value: Any) -> int:
    if isinstance(value, bool):
        return int(value)
    raise ValueError("true or false")


def _moment(value: Any) -> str:
    try:
        return utc_text(value if isinstance(value, datetime) else datetime.fromisoformat(value))
    except (TypeError, ValueError, OverflowError):
        raise ValueError("a date and time such as 2011-09-30T17:22:00Z") from None


def utc_text(moment: datetime) -> str:
    """A moment as records keep it: UTC, to the second, one form, so that order of text is order of time.

    A moment without a zone is taken as UTC.
    """
    utc = moment if moment.tzinfo is None else moment.astimezone(UTC)
    return utc.replace(tzinfo=None).isoformat(timespec="seconds") + "Z"


def _json(value: Any) -> str:
    try:
        return canonical_bytes(value).decode()
    except (TypeError, ValueError, msgspec.MsgspecError):
        raise ValueError("a JSON value") from None


def _content(value: Any) -> str | bytes:
    if isinstance(value, bytes) or (isinstance(value, str) and _is_unicode(value)):
        return value
    raise ValueError("text or bytes")


@dataclass(frozen=True, kw_only=True)
class Column:
    """One column a caller may name. `store` makes the kept form; its ValueError says what is expected."""

    name: str
    store: Callable[[Any], Any]
    load: Callable[[Any], Any] | None


_STORE: Mapping[str, Callable[[Any], Any]] = {
    "TEXT": _text,
    "NUMBER": _number,
    "REAL": _number,
    "INTEGER": _integer,
    "BOOLEAN": _boolean,
    "TIME_TEXT": _moment,
    "JSON_TEXT": _json,
    "BLOB": _content,
}
_LOAD: Mapping[str, Callable[[Any], Any]] = {"BOOLEAN": bool, "JSON_TEXT": msgspec.json.decode}


@dataclass(frozen=True, kw_only=True)
class Table:
    """One entity: its columns in order, and the key that tells its rows apart within a tenant.

    A `derived` one is worked out from others and cannot be written.
    """

    name: str
    columns: Mapping[str, Column]
    key: tuple[str, ...]
    derived: bool = False

    def column(self, name: str) -> Column:
        """A column by name, or `InvalidInput` with the nearest names."""
        found = self.columns.get(name)
        if found is None:
            raise _unknown("column", f"{self.name}.{name}", name, self.columns)
        return found

    def stored(self, name: str, value: Any) -> Any:
        """The kept form of a value of a column."""
        column = self.column(name)
        try:
            return None if value is None else column.store(value)
        except ValueError as expected:
            field = f"{self.name}.{name}"
            raise InvalidInput(f"{field} must be {expected}, not {value!r:.60}.", field=field) from None

    def loaded(self, names: Sequence[str], rows: Iterable[tuple[Any, ...]]) -> list[dict[str, Any]]:
        """Rows of kept values as dicts of JSON values."""
        dicts = [dict(zip(names, row, strict=True)) for row in rows]
        for name in names:
            load = self.columns[name].load
            for row in dicts if load else ():
                row[name] = None if row[name] is None else load(row[name])  # type: ignore[misc]
        return dicts


def find_table(tables: Mapping[str, Table], entity: str) -> Table:
    """A table by entity name, or `InvalidInput` with the nearest names."""
    found = tables.get(entity)
    if found is None:
        raise _unknown("entity", entity, entity, tables)
    return found


def read_tables(connection: apsw.Connection) -> dict[str, Table]:
    """Every table and view of the main database, as its schema declares it.

    A view's key is its first column, since SQLite knows none.
    """
    found: list[Any] = connection.execute(_TABLES).fetchall()
    return {name: _read_table(connection, name, derived=bool(view)) for name, view in found}


def _read_table(connection: apsw.Connection, name: str, *, derived: bool) -> Table:
    declared: list[Any] = connection.execute(
        "SELECT name, type, pk FROM pragma_table_info(?)", (name,)
    ).fetchall()
    columns = [
        Column(name=column, store=_STORE[kind], load=_LOAD.get(kind))
        for column, kind, _ in declared
        if column != TENANT
    ]
    placed = sorted((place, column) for column, _, place in declared if place and column != TENANT)
    key = (columns[0].name,) if derived else tuple(column for _, column in placed)
    return Table(name=name, columns={column.name: column for column in columns}, key=key, derived=derived)


def _unknown(what: str, field: str, name: str, known: Iterable[str]) -> InvalidInput:
    choices = sorted(known)
    nearest = difflib.get_close_matches(str(name), choices, n=1, cutoff=0.4)
    guess = f"Did you mean {nearest[0]!r}? " if nearest else ""
    fix = f"{guess}Known: {', '.join(choices)}."
    return InvalidInput(f"There is no {what} {name!r}.", fix=fix, field=field)
