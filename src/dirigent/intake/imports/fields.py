"""What a file can hold: the fields of each kind of row, and how a cell becomes a value."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from typing import Any, Literal
from zoneinfo import ZoneInfo

FieldType = Literal["text", "address", "number", "time", "flag", "consent", "kind"]

CONSENTS = ("none", "express", "soft_opt_in")
KINDS = ("sale", "cancellation", "return", "adjustment")
FLAGS: Mapping[str, bool] = {
    **dict.fromkeys(("true", "yes", "y", "1"), True),
    **dict.fromkeys(("false", "no", "n", "0"), False),
}
REMEMBERED_MAX = 16_384


@dataclass(frozen=True, kw_only=True)
class Field:
    """One field of a row. A required one must have a value when the rules are through.

    `default` is what a blank cell means; `otherwise` is the value if neither cell nor rule gave one.
    """

    name: str
    type: FieldType = "text"
    required: bool = False
    default: Any = None
    otherwise: Any = None


@dataclass(frozen=True, kw_only=True)
class Notation:
    """How a file writes numbers and times."""

    decimal: str = "."
    timezone: str = "UTC"
    time_format: str | None = None


# The first field is the key that tells rows apart.
HOLDINGS: Mapping[str, tuple[Field, ...]] = {
    "organizations": (
        Field(name="organization_id", required=True),
        Field(name="name"),
        Field(name="sender_name"),
        Field(name="sender_email"),
        Field(name="postal_address"),
        Field(name="unsubscribe_base"),
    ),
    "order_lines": (
        Field(name="order_id", required=True),
        Field(name="ordered_at", type="time", required=True),
        Field(name="customer_id"),
        Field(name="customer_name"),
        Field(name="country"),
        Field(name="sku", required=True),
        Field(name="description"),
        Field(name="quantity", type="number", required=True),
        Field(name="unit_price", type="number", required=True),
        Field(name="kind", type="kind", otherwise="sale"),
        Field(name="goods", type="flag", default=True),
    ),
    "customers": (Field(name="customer_id", required=True), Field(name="name"), Field(name="country")),
    "contacts": (
        Field(name="contact_id", required=True),
        Field(name="customer_id"),
        Field(name="customer_name"),
        Field(name="name"),
        Field(name="role"),
        Field(name="email"),
        Field(name="country"),
        Field(name="timezone"),
        Field(name="consent", type="consent", default="none"),
        Field(name="consent_at", type="time"),
        Field(name="consent_source"),
        Field(name="opted_out", type="flag", default=False),
        Field(name="source"),
    ),
    "products": (
        Field(name="sku", required=True),
        Field(name="name"),
        Field(name="price", type="number"),
    ),
    "suppressions": (
        Field(name="address", type="address", required=True),
        Field(name="reason"),
        Field(name="at", type="time"),
    ),
    "stock": (
        Field(name="product_id", required=True),
        Field(name="on_hand", type="number"),
        Field(name="reserved", type="number"),
        Field(name="reorder_point", type="number"),
        Field(name="lead_time_days", type="number"),
    ),
    "brands": (
        Field(name="brand_id", required=True),
        Field(name="name"),
        Field(name="terms"),
        Field(name="banned_terms"),
        Field(name="key_messages"),
        Field(name="hashtags"),
        Field(name="call_to_action"),
        Field(name="link"),
    ),
}


class CellValues(dict[str, Any]):
    """Cell to value of one field, worked out once for each cell that comes again soon.

    A blank cell is the field's default; one that cannot be read raises ValueError naming the field and
    what was expected. `values` translates whole cells before anything else is made of them.
    """

    def __init__(self, field: Field, notation: Notation, values: Mapping[str, str | None]) -> None:
        super().__init__()
        self._field = field
        self._values = values
        self._read = _READERS[field.type](notation)

    def __missing__(self, cell: str) -> Any:
        stripped = cell.strip()
        text = self._values.get(stripped, stripped)
        try:
            value = self._read(text) if text else self._field.default
        except ValueError as error:
            raise ValueError(f"{self._field.name}: {error}") from None
        if len(self) >= REMEMBERED_MAX:
            self.clear()
        self[cell] = value
        return value


def _text_reader(_: Notation) -> Callable[[str], str]:
    return str


def _address_reader(_: Notation) -> Callable[[str], str]:
    return str.lower


def _number_reader(notation: Notation) -> Callable[[str], int | float]:
    def read(text: str) -> int | float:
        plain = text.replace(".", "").replace(",", ".") if notation.decimal == "," else text
        try:
            value = int(plain) if plain.lstrip("+-").isdecimal() else float(plain)
        except ValueError:
            value = math.nan
        if "_" in plain or not math.isfinite(value) or abs(value) >= 2**63:
            raise ValueError(f"{text!r} is not a number")
        return value

    return read


def _time_reader(notation: Notation) -> Callable[[str], str]:
    zone: tzinfo = UTC if notation.timezone == "UTC" else ZoneInfo(notation.timezone)
    form = notation.time_format

    def read(text: str) -> str:
        try:
            moment = datetime.strptime(text, form) if form else datetime.fromisoformat(text)
            utc = (moment if moment.tzinfo else moment.replace(tzinfo=zone)).astimezone(UTC)
        except (ValueError, OverflowError):
            wanted = f"a date and time written as {form}" if form else "an ISO date or date and time"
            raise ValueError(f"{text!r} is not {wanted}") from None
        return utc.replace(tzinfo=None).isoformat(timespec="seconds") + "Z"

    return read


def _flag_reader(_: Notation) -> Callable[[str], bool]:
    def read(text: str) -> bool:
        value = FLAGS.get(text.lower())
        if value is None:
            raise ValueError(f"{text!r} is neither true nor false")
        return value

    return read


def _choice_reader(choices: tuple[str, ...]) -> Callable[[Notation], Callable[[str], str]]:
    def read(text: str) -> str:
        if text not in choices:
            raise ValueError(f"{text!r} is none of {', '.join(choices)}")
        return text

    return lambda _: read


_READERS: Mapping[FieldType, Callable[[Notation], Callable[[str], Any]]] = {
    "text": _text_reader,
    "address": _address_reader,
    "number": _number_reader,
    "time": _time_reader,
    "flag": _flag_reader,
    "consent": _choice_reader(CONSENTS),
    "kind": _choice_reader(KINDS),
}
