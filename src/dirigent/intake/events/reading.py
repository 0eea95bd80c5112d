"""From what somebody hands in to a domain event: the JSON form of CloudEvents 1.0, checked."""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec

from dirigent.domain.domain_event import DomainEvent
from dirigent.domain.errors import InvalidInput

EVENT_BYTES_MAX = 1024 * 1024
NAME_LENGTH_MAX = 200
TEXT_LENGTH_MAX = 1000
NUMBER_MAX = 1000

_TYPE = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9_.:/-]{0,198}[A-Za-z0-9_])?")
# Says through which web hook an event came in; only the door for web hooks may say so.
RESERVED = frozenset({"webhook"})

_ATTRIBUTE = re.compile(r"[a-z0-9]{1,20}")
_NAME = f"1 to {NAME_LENGTH_MAX} printable characters"

_encoder = msgspec.json.Encoder()
_decoder: msgspec.json.Decoder[DomainEvent] = msgspec.json.Decoder(DomainEvent)
_TEXTS = (
    "id",
    "source",
    "type",
    "subject",
    "time",
    "datacontenttype",
    "dataschema",
    "correlationid",
    "causationid",
)


def read_event(given: Mapping[str, Any], *, tenant: str, new_id: str) -> DomainEvent:
    """The event that a mapping says; raises `InvalidInput` naming the attribute and what was expected.

    `tenant` is whose it is where the mapping does not say, `new_id` its id where it has none: an event
    without an id of its own is a new one each time it is handed in. Attributes of others are kept.
    """
    values: dict[str, Any] = {"tenant": tenant, "id": new_id}
    extensions: dict[str, Any] = {}
    for name, value in given.items():
        if value is None or name == "specversion":
            continue
        if name in DomainEvent.__struct_fields__ and name != "extensions":
            values[name] = value
        else:
            extensions[name] = _extension(name, value)
    _check_version(given.get("specversion", "1.0"))
    for name in ("source", "type"):
        if name not in values:
            raise InvalidInput(f"An event has a {name}.", fix=f"Add {name}.", field=name)
    for name in _TEXTS:
        if not isinstance(values.get(name, ""), str):
            raise _wrong(name, values[name], "a text")
    return checked(DomainEvent(**values, extensions=extensions))


def checked(event: DomainEvent) -> DomainEvent:
    """The event exactly as the journal will give it back; raises `InvalidInput` for what is none."""
    try:
        encoded = _encoder.encode(event)
        kept = _decoder.decode(encoded)
    except (TypeError, ValueError, OverflowError, RecursionError, msgspec.MsgspecError) as error:
        raise InvalidInput(f"The event cannot be stored: {error}.", fix="Give plain JSON data.") from error
    if len(encoded) > EVENT_BYTES_MAX:
        raise InvalidInput(
            f"The event has {len(encoded):,} bytes.",
            fix=f"Keep it under {EVENT_BYTES_MAX:,} and refer to what is large.",
            field="data",
        )
    _check_names(kept)
    _check_rest(kept)
    return kept


def _check_names(event: DomainEvent) -> None:
    if not _is_type(event.type):
        raise _wrong("type", event.type, "a name such as campaign.content_requested, at most 200 characters")
    if not _is_name(event.id):
        raise _wrong("id", event.id, _NAME)
    if not _is_name(event.tenant):
        raise _wrong("tenant", event.tenant, _NAME)
    source = event.source
    if not source or " " in source or not source.isprintable() or len(source) > TEXT_LENGTH_MAX:
        raise _wrong("source", source, "a URI reference such as crm or https://shop.example/orders")


def _check_rest(event: DomainEvent) -> None:
    for name, value in (
        ("subject", event.subject),
        ("dataschema", event.dataschema),
        ("correlationid", event.correlationid),
        ("causationid", event.causationid),
    ):
        if value and (len(value) > TEXT_LENGTH_MAX or not value.isprintable()):
            raise _wrong(name, value, f"at most {TEXT_LENGTH_MAX} printable characters")
    _check_version(event.specversion)
    if not 0 <= event.depth <= NUMBER_MAX:
        raise _wrong("depth", event.depth, f"a whole number from 0 to {NUMBER_MAX}")
    if not 1 <= event.schemaversion <= NUMBER_MAX:
        raise _wrong("schemaversion", event.schemaversion, f"a whole number from 1 to {NUMBER_MAX}")
    if event.time and not _is_time(event.time):
        raise _wrong("time", event.time, "a moment with its offset, such as 2024-11-26T14:30:00Z")
    if event.datacontenttype != "application/json" and not _is_json(event.datacontenttype):
        raise _wrong("datacontenttype", event.datacontenttype, "application/json")


def _check_version(given: Any) -> None:
    if given != "1.0":
        raise _wrong("specversion", given, "1.0")


def _extension(name: str, value: Any) -> Any:
    if name == "data_base64":
        raise InvalidInput("data_base64 is not taken.", fix="Send data as JSON.", field=name)
    if name in RESERVED:
        raise InvalidInput(f"{name} is set by Dirigent only.", fix="Leave it out.", field=name)
    if not _ATTRIBUTE.fullmatch(name):
        raise InvalidInput(
            f"{name!r} is no attribute of an event.",
            fix="What it says belongs under data; other attributes are up to 20 small letters and digits.",
            field=name,
        )
    if not isinstance(value, str | int | bool) or (isinstance(value, str) and len(value) > TEXT_LENGTH_MAX):
        raise _wrong(name, value, f"true, false, a whole number or at most {TEXT_LENGTH_MAX} characters")
    return value


@functools.lru_cache(maxsize=4096)
def _is_type(name: str) -> bool:
    return _TYPE.fullmatch(name) is not None


def _is_name(name: str) -> bool:
    return len(name) <= NAME_LENGTH_MAX and name.isprintable() and not name.isspace() and name != ""


def _is_json(media_type: str) -> bool:
    name = media_type.partition(";")[0].strip()
    return name in ("", "application/json") or name.endswith("+json")


def _is_time(text: str) -> bool:
    try:
        return datetime.fromisoformat(text).tzinfo is not None
    except ValueError:
        return False


def _wrong(name: str, value: Any, expected: str) -> InvalidInput:
    shown = repr(value)
    told = shown if len(shown) <= 80 else f"{shown[:80]}..."
    return InvalidInput(f"{name} is {told}.", fix=f"Expected is {expected}.", field=name)
