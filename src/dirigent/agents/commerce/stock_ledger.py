"""The ledger of stock: every change is a row that says who, why and when, and what is there is their sum."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import Field

from dirigent.domain.errors import Conflict, InvalidInput, TransientError
from dirigent.domain.shape import Shape
from dirigent.ports import BoundRecords, Context

QUANTITY_MAX = 1_000_000_000
DECIMALS = 6
LEAD_TIME_DAYS_MAX = 366
TRIES_MAX = 3

ProductId = Annotated[str, Field(min_length=1, max_length=200)]
Quantity = Annotated[int | float, Field(ge=-QUANTITY_MAX, le=QUANTITY_MAX)]
Positive = Annotated[int | float, Field(ge=0, le=QUANTITY_MAX)]


class InsufficientStock(Conflict):
    """More is to be taken than is available. Nothing of the whole call was changed."""

    code = "insufficient_stock"


class StockLevel(Shape):
    """What there is of a product: on hand, promised to somebody, and so available.

    `available` is below zero where a count found less than was promised. Without a reorder point
    nothing is below it.
    """

    product_id: str
    on_hand: int | float
    reserved: int | float
    available: int | float
    reorder_point: int | float | None
    lead_time_days: int | None
    below_reorder_point: bool


class StockChange(Shape):
    """One change: so many more or, negative, fewer on hand, and why.

    `reserve` promises that many to somebody or, negative, lets them go. The same `idempotency_key`
    counts once; without one, a repeated attempt of the same step does. A reorder point and a lead
    time hold until a later change names others.
    """

    product_id: ProductId
    delta: Quantity
    reason: Annotated[str, Field(min_length=1, max_length=500)]
    idempotency_key: Annotated[str, Field(min_length=1, max_length=200)] | None = None
    reserve: Quantity = 0
    reorder_point: Positive | None = None
    lead_time_days: Annotated[int, Field(ge=0, le=LEAD_TIME_DAYS_MAX)] | None = None


Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Moved:
    """What a step did to a product: how many more are available, and whether it named a reorder point."""

    available: float = 0
    named_point: bool = False


def read_levels(records: BoundRecords, product_ids: Sequence[str] | None = None) -> dict[str, StockLevel]:
    """Levels by product id, of some products or of all; what is not on record is missing."""
    where = None if product_ids is None else {"product_id": list(product_ids)}
    return {row["product_id"]: _level(row) for row in records.fetch("stock", where=where)}


def book(ctx: Context, changes: Sequence[StockChange]) -> tuple[list[str], list[str]]:
    """Put changes into the ledger in their order, all or none: the keys that count now, and those that did.

    Raises `InsufficientStock` or `InvalidInput` for a change that cannot be, and `Conflict` for a key
    that stands for another change.
    """
    rows = _distinct(_row(ctx, number, change) for number, change in enumerate(changes))
    for _ in range(TRIES_MAX):
        new = _not_counted(ctx.records, rows)
        _check_sums(ctx.records, new)
        if _kept(ctx.records, new):
            counted = {row["change_id"] for row in new}
            return [row["change_id"] for row in new], [key for key in rows if key not in counted]
    raise TransientError("Others changed the same stock over and over; nothing was booked.")


def changes_of_step(ctx: Context, change_ids: Sequence[str]) -> dict[str, Moved]:
    """By product what this step changed, now or at an earlier attempt that did not get to tell it."""
    moved: dict[str, Moved] = {}
    own = {"change_id": list(change_ids), "run_id": ctx.execution_id, "step": ctx.step}
    for row in ctx.records.fetch("stock_changes", where=own):
        before = moved.get(row["product_id"], Moved())
        moved[row["product_id"]] = Moved(
            available=before.available + row["delta"] - row["reserve"],
            named_point=before.named_point or row["reorder_point"] is not None,
        )
    return moved


def _kept(records: BoundRecords, rows: Sequence[Row]) -> bool:
    """Whether the rows are on record; not where others were faster and a sum no longer allows them."""
    try:
        records.save("stock_changes", rows)
    except InvalidInput as error:
        if error.field:
            raise
        return False
    return True


def _level(row: Mapping[str, Any]) -> StockLevel:
    available = round(row["on_hand"] - row["reserved"], DECIMALS)
    point = row["reorder_point"]
    return StockLevel(
        product_id=row["product_id"],
        on_hand=row["on_hand"],
        reserved=row["reserved"],
        available=available,
        reorder_point=point,
        lead_time_days=row["lead_time_days"],
        below_reorder_point=point is not None and available < point,
    )


def _row(ctx: Context, number: int, change: StockChange) -> Row:
    row = {
        "change_id": change.idempotency_key or f"{ctx.key}/{number}",
        "product_id": change.product_id,
        "delta": round(change.delta, DECIMALS),
        "reserve": round(change.reserve, DECIMALS),
        "reorder_point": change.reorder_point,
        "lead_time_days": change.lead_time_days,
        "reason": change.reason,
        "at": ctx.now.isoformat(timespec="seconds"),
        "run_id": ctx.execution_id,
        "step": ctx.step,
    }
    if not any((row["delta"], row["reserve"])) and (change.reorder_point, change.lead_time_days) == (
        None,
        None,
    ):
        field = f"changes.{number}.delta"
        raise InvalidInput(f"The change of {change.product_id!r} changes nothing.", field=field)
    return row


def _distinct(rows: Iterator[Row]) -> dict[str, Row]:
    """Rows by key; a key that comes twice has to mean the same."""
    kept: dict[str, Row] = {}
    for row in rows:
        _check_same(row, kept.setdefault(row["change_id"], row))
    return kept


def _not_counted(records: BoundRecords, rows: Mapping[str, Row]) -> list[Row]:
    columns = ("change_id", "product_id", "delta", "reserve")
    known = records.fetch("stock_changes", where={"change_id": list(rows)}, columns=columns)
    for row in known:
        _check_same(rows[row["change_id"]], row)
    counted = {row["change_id"] for row in known}
    return [row for key, row in rows.items() if key not in counted]


def _check_same(row: Row, earlier: Row) -> None:
    if any(row[name] != earlier[name] for name in ("product_id", "delta", "reserve")):
        raise Conflict(
            f"The idempotency key {row['change_id']!r} stands for another change already:"
            f" {earlier['delta']:+} of {earlier['product_id']!r}.",
            fix="Give every change a key of its own.",
            field="idempotency_key",
        )


def _check_sums(records: BoundRecords, rows: Sequence[Row]) -> None:
    """Go through the changes in their order, and refuse what is not covered when its turn comes."""
    levels = read_levels(records, list({row["product_id"] for row in rows}))
    sums = {product: (level.on_hand, level.reserved) for product, level in levels.items()}
    for row in rows:
        before = sums.get(row["product_id"], (0, 0))
        on_hand = round(before[0] + row["delta"], DECIMALS)
        reserved = round(before[1] + row["reserve"], DECIMALS)
        if reserved < 0:
            raise InvalidInput(
                f"{-row['reserve']} of {row['product_id']!r} are to be let go, {before[1]} are reserved.",
                fix="Nothing was changed. Let go at most what is reserved.",
                field="reserve",
            )
        if on_hand < 0 or (on_hand < reserved and row["delta"] < row["reserve"]):
            raise _insufficient(row, *before)
        sums[row["product_id"]] = on_hand, reserved


def _insufficient(row: Row, on_hand: float, reserved: float) -> InsufficientStock:
    wanted = round(row["reserve"] - row["delta"], DECIMALS)
    there = f"{round(on_hand - reserved, DECIMALS)} available ({on_hand} on hand, {reserved} reserved)"
    return InsufficientStock(
        f"{wanted} of {row['product_id']!r} are wanted, {there}.",
        fix="Nothing of the whole call was changed. Take less, or book what came in first.",
        field="delta",
    )
