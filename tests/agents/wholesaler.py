"""The order book of the example company, read from its files without the importer."""

from __future__ import annotations

import csv
import gzip
from functools import cache
from pathlib import Path
from typing import Any

from tests.agents.fakes import FakeRecords

FOLDER = Path(__file__).resolve().parents[2] / "examples" / "wholesaler"
BOOK = FOLDER / "online_retail_2010-12-01_to_2011-09-30.csv.gz"
NOT_GOODS = {"POST", "DOT", "C2", "M", "m", "D", "S", "B", "BANK CHARGES", "AMAZONFEE", "CRUK", "PADS"}


@cache
def order_book() -> FakeRecords:
    """Orders, lines, products and contacts; not to be changed."""
    lines = [_line(row) for row in _rows()]
    orders: dict[str, dict[str, Any]] = {}
    for line in lines:
        order = orders.setdefault(line["order_id"], {**line["order"], "value": 0.0})
        order["value"] += line["quantity"] * line["unit_price"]
    records = FakeRecords()
    records.rows["orders"] = list(orders.values())
    records.rows["order_lines"] = [{**line, "line": number} for number, line in enumerate(lines)]
    records.rows["products"] = _products(lines)
    records.rows["contacts"] = _contacts()
    return records


def _rows() -> list[dict[str, str]]:
    with gzip.open(BOOK, "rt", encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _line(row: dict[str, str]) -> dict[str, Any]:
    kind = "cancellation" if row["InvoiceNo"].startswith("C") else "sale"
    order = {
        "order_id": row["InvoiceNo"],
        "customer_id": row["CustomerID"] or None,
        "ordered_at": row["InvoiceDate"].replace(" ", "T"),
        "kind": kind,
    }
    return {
        "order": order,
        "order_id": row["InvoiceNo"],
        "sku": row["StockCode"],
        "name": row["Description"],
        "quantity": int(row["Quantity"]),
        "unit_price": float(row["UnitPrice"]),
        "kind": kind,
        "goods": row["StockCode"] not in NOT_GOODS,
    }


def _products(lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
    named = (line for line in lines if line["name"] and line["unit_price"] > 0 and line["kind"] == "sale")
    latest = {line["sku"]: (line["name"], line["unit_price"]) for line in named}
    return [{"sku": sku, "name": name, "price": price} for sku, (name, price) in latest.items()]


def _contacts() -> list[dict[str, Any]]:
    with open(FOLDER / "contacts.csv", encoding="utf-8", newline="") as file:
        return [{**row, "opted_out": row["opted_out"] == "true"} for row in csv.DictReader(file)]
