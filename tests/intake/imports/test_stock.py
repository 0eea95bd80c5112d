"""Stock is imported like everything else: a list is a count, and the ledger says what it changed."""

import yaml

COLUMNS = {"product_id": "sku", "on_hand": "pieces", "reorder_point": "least", "lead_time_days": "days"}
NEGATIVE = {
    "name": "below-nothing",
    "when": {"on_hand": {"less_than": 0}},
    "then": "refuse",
    "reason": "Less than nothing is not there.",
}


def write(shop, *rows):
    """A list of stock and its mapping."""
    (shop.folder / "stock.csv").write_text("\n".join(("sku,pieces,least,days", *rows)), encoding="utf-8")
    spec = {"file": "stock.csv", "holds": "stock", "columns": COLUMNS, "rules": [NEGATIVE]}
    shop.mapping_text(yaml.safe_dump({"version": 1, "files": [spec]}))


def test_a_list_of_stock_is_a_count(shop):
    """Taken twice it changes nothing; a later list books the difference; a refused row takes nothing away."""
    write(shop, "mug,10,4,14", "pot,3,,", "pan,-1,,")
    report = shop.take_file()
    assert (report.rows_taken, report.rows_refused) == (2, 1)
    assert shop.take().nothing_new
    write(shop, "mug,8,,", "pot,-3,,")
    shop.take_file()
    assert shop.fetch("stock", "product_id", "on_hand", "reorder_point", "lead_time_days") == [
        {"product_id": "mug", "on_hand": 8, "reorder_point": 4, "lead_time_days": 14},
        {"product_id": "pot", "on_hand": 3, "reorder_point": None, "lead_time_days": None},
    ]
    assert sorted(shop.fetch("stock_changes", "delta")) == [-2, 3, 10]
    assert set(shop.fetch("stock_changes", "reason")) == {f"count: stock.csv line {n}" for n in (2, 3)}
