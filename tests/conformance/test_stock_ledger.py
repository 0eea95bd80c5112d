"""What the records promise of the ledger of stock: sums that nobody can write, changes that count once."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from dirigent.domain.errors import InvalidInput
from dirigent.storage.sqlite.records import SqliteRecords

TENANT = "org_a"
ENTRY = {
    "source": "stock.csv",
    "sha256": "x",
    "mapping_sha256": "y",
    "report": {},
    "rows_taken": 1,
    "rows_mended": 0,
    "rows_refused": 0,
}


@pytest.fixture(params=["file", "memory"])
def records(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[SqliteRecords]:
    backend = SqliteRecords(":memory:" if request.param == "memory" else tmp_path / "records.db")
    yield backend
    backend.close()


def change(key: str, delta: float, reserve: float = 0, product: str = "mug", **more: Any) -> dict[str, Any]:
    """One row of the ledger."""
    row = {"change_id": key, "product_id": product, "delta": delta, "reserve": reserve}
    return {**row, "reason": "test", "at": "2026-11-20T09:00:00Z", **more}


def stock(records: SqliteRecords, tenant: str = TENANT) -> dict[str, tuple[float, float]]:
    """On hand and reserved by product."""
    rows = records.fetch(tenant, "stock")
    return {row["product_id"]: (row["on_hand"], row["reserved"]) for row in rows}


def count(records: SqliteRecords, *rows: tuple[Any, ...]) -> None:
    """Take in a list of stock: (product, on hand, reserved, reorder point, lead time) each."""
    columns = ["product_id", "on_hand", "reserved", "reorder_point", "lead_time_days"]
    with records.load(TENANT, "stock", columns) as load:
        load.add([(line, *row) for line, row in enumerate(rows, 2)])
        load.commit(ENTRY)


def test_what_is_there_is_the_sum_of_the_changes(records):
    """Whole numbers stay whole, fractions add up, products and tenants stand for themselves."""
    records.save(TENANT, "stock_changes", [change("1", 10), change("2", -3, -0), change("3", 0, 4)])
    records.save(TENANT, "stock_changes", [change(f"t{n}", 0.1, product="tea") for n in range(3)])
    records.save(TENANT, "stock_changes", [change("t-", -0.3, product="tea")])
    records.save("org_b", "stock_changes", [change("1", 99)])
    assert stock(records) == {"mug": (7, 4), "tea": (0, 0)}
    assert repr(stock(records)["mug"]) == "(7, 4)"
    assert stock(records, "org_b") == {"mug": (99, 0)}


def test_the_same_change_counts_once(records):
    """In one save, in a later one, and beside new ones; a different one under its id is refused whole."""
    records.save(TENANT, "stock_changes", [change("1", 10), change("1", 10)])
    records.save(TENANT, "stock_changes", [change("1", 10, reason="again"), change("2", 1)])
    assert stock(records) == {"mug": (11, 0)}
    assert records.count(TENANT, "stock_changes") == 2
    with pytest.raises(InvalidInput, match="another change of stock has this id"):
        records.save(TENANT, "stock_changes", [change("3", 5), change("1", 9)])
    assert stock(records) == {"mug": (11, 0)}


@pytest.mark.parametrize(
    ("bad", "rule"),
    [
        (change("x", -11), "does not fall below zero"),
        (change("x", -7), "what is reserved is not taken"),
        (change("x", 0, 7), "what is reserved is not taken"),
        (change("x", 0, -5), "no more is set free"),
        (change("x", 1, reorder_point=-1), "a reorder point is not negative"),
        (change("x", 1, lead_time_days=-1), "a lead time is a whole number of days"),
    ],
)
def test_a_change_that_cannot_be_keeps_out_all_others(records, bad, rule):
    """Not even the one before it, of another product, is kept."""
    records.save(TENANT, "stock_changes", [change("1", 10), change("2", 0, 4)])
    with pytest.raises(InvalidInput, match=rule):
        records.save(TENANT, "stock_changes", [change("3", 1, product="pot"), bad])
    assert stock(records) == {"mug": (10, 4)}
    assert records.count(TENANT, "stock_changes") == 2


def test_what_was_promised_can_be_shipped(records):
    """Taking and letting go at once takes the promised ones, to the last."""
    records.save(TENANT, "stock_changes", [change("1", 4), change("2", 0, 4), change("3", -4, -4)])
    assert stock(records) == {"mug": (0, 0)}


def test_nobody_writes_the_sum(records):
    """It can be read like any entity, not written, and what keeps it is not to be had."""
    with pytest.raises(InvalidInput, match="worked out from other records"):
        records.save(TENANT, "stock", [{"product_id": "mug", "on_hand": 5, "reserved": 0}])
    with pytest.raises(InvalidInput, match="no entity '_stock_sums'"):
        records.fetch(TENANT, "_stock_sums")
    assert records.count(TENANT, "stock") == 0


def test_a_reorder_point_holds_until_another_is_named(records):
    """Also a lead time; a change that names neither leaves both."""
    records.save(TENANT, "stock_changes", [change("1", 1, reorder_point=5, lead_time_days=3), change("2", 1)])
    records.save(TENANT, "stock_changes", [change("3", 1, reorder_point=0)])
    (row,) = records.fetch(TENANT, "stock")
    assert (row["on_hand"], row["reorder_point"], row["lead_time_days"]) == (3, 0, 3)


def test_many_take_the_last_ones_at_once(tmp_path):
    """Four connections take single pieces of ten until none is left: ten succeed, the stock is zero."""
    records = [SqliteRecords(tmp_path / "records.db") for _ in range(4)]
    records[0].save(TENANT, "stock_changes", [change("in", 10)])

    def take(number: int) -> int:
        taken = 0
        for piece in range(5):
            try:
                taken += records[number].save(TENANT, "stock_changes", [change(f"{number}/{piece}", -1)])
            except InvalidInput:
                continue
        return taken

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(take, range(4))) == 10
    assert stock(records[0]) == {"mug": (0, 0)}
    for each in records:
        each.close()


def test_a_count_books_the_difference(records):
    """The sum becomes what was counted, by a row of the ledger; blank cells and equal counts book nothing."""
    records.save(TENANT, "stock_changes", [change("1", 10), change("2", 5, product="pot")])
    count(records, ("mug", 7, 1, 3, 14), ("pot", None, None, None, None), ("cup", 0, None, None, None))
    assert stock(records) == {"cup": (0, 0), "mug": (7, 1), "pot": (5, 0)}
    count(records, ("mug", 7, 1, 3, 14), ("pot", 5, None, 2, None))
    booked = records.fetch(TENANT, "stock_changes", where={"counted": True}, order_by="product_id")
    assert [(row["product_id"], row["delta"], row["reserve"], row["reason"]) for row in booked] == [
        ("cup", 0, 0, "count: stock.csv line 4"),
        ("mug", -3, 1, "count: stock.csv line 2"),
        ("pot", 0, 0, "count: stock.csv line 3"),
    ]
    levels = {row["product_id"]: row for row in records.fetch(TENANT, "stock")}
    assert (levels["mug"]["lead_time_days"], levels["pot"]["reorder_point"]) == (14, 2)


def test_a_count_may_find_less_than_was_promised(records):
    """What was counted is true, even if somebody has to be told; afterwards nothing more is taken."""
    records.save(TENANT, "stock_changes", [change("1", 10), change("2", 0, 4)])
    count(records, ("mug", 3, None, None, None))
    assert stock(records) == {"mug": (3, 4)}
    with pytest.raises(InvalidInput, match="what is reserved is not taken"):
        records.save(TENANT, "stock_changes", [change("3", -1)])
    records.save(TENANT, "stock_changes", [change("4", 2)])
    assert stock(records) == {"mug": (5, 4)}


def test_counts_that_alternate_are_all_taken(records):
    """Each is a count of its own, also within a second."""
    for found in (5, 8, 5):
        count(records, ("mug", found, None, None, None))
        assert stock(records) == {"mug": (found, 0)}
    assert records.count(TENANT, "stock_changes") == 3
