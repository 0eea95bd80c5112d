"""The example company: its real books come out at the known totals, and each kind of dirt meets its rule."""

import csv
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
import yaml

from dirigent.intake.imports import import_folder
from dirigent.storage.sqlite.records import SqliteRecords

TENANT = "org_123"
WHOLESALER = Path(__file__).parents[3] / "examples" / "wholesaler"
HEADER = "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country\n"

RULE_ROWS = {
    "country-unknown": 454,
    "without-customer": 98_056,
    "not-goods": 2_204,
    "cancellation": 6_652,
    "bad-debt": 3,
    "negative-price": 0,
    "blank-description": 1_260,
    "stock-correction": 674,
    "return": 0,
    "free-of-charge": 23,
    "consent-without-proof": 0,
    "without-address": 140,
    "not-an-address": 0,
    "opted-out": 149,
}

DIRT = {
    "country-unknown": "1,85123A,HOLDER,6,2011-01-05 08:26:00,2.55,17850,Unspecified",
    "without-customer": "1,85123A,HOLDER,6,2011-01-05 08:26:00,2.55,,United Kingdom",
    "not-goods": "1,gift_0001_20,Gift Voucher,1,2011-01-05 08:26:00,17.02,17850,United Kingdom",
    "cancellation": "C1,85123A,HOLDER,-6,2011-01-05 08:26:00,2.55,17850,United Kingdom",
    "bad-debt": "A1,B,Adjust bad debt,1,2011-01-05 08:26:00,-11062.06,,United Kingdom",
    "negative-price": "1,85123A,HOLDER,6,2011-01-05 08:26:00,-2.55,17850,United Kingdom",
    "blank-description": "1,85123A,,6,2011-01-05 08:26:00,0.0,17850,United Kingdom",
    "stock-correction": "1,85123A,thrown away,-60,2011-01-05 08:26:00,0.0,,United Kingdom",
    "return": "1,85123A,HOLDER,-6,2011-01-05 08:26:00,2.55,17850,United Kingdom",
    "free-of-charge": "1,85123A,HOLDER,6,2011-01-05 08:26:00,0.0,17850,United Kingdom",
}
OUTCOME = {"cancellation": "cancellation", "return": "return", "negative-price": None} | dict.fromkeys(
    ("bad-debt", "blank-description", "stock-correction"), "adjustment"
)


@pytest.fixture(scope="module")
def imported(tmp_path_factory):
    """The whole example, taken in once for all tests of this file."""
    records = SqliteRecords(tmp_path_factory.mktemp("wholesaler") / "records.db")
    report = import_folder(WHOLESALER, records, TENANT)
    yield records, report
    records.close()


def dirty_folder(folder: Path, row: str) -> Path:
    """The example's mapping over books of one row."""
    mapping = yaml.safe_load((WHOLESALER / "import.yaml").read_text(encoding="utf-8"))
    books = mapping["files"][0]
    (folder / books["file"]).write_text(HEADER + row + "\n", encoding="utf-8")
    (folder / "import.yaml").write_text(yaml.safe_dump({"files": [books]}), encoding="utf-8")
    return folder


def test_the_books_come_out_at_the_known_totals(imported):
    """Every line is taken, and the figures agree with those published with the data."""
    records, report = imported
    assert (report.files[0].rows_taken, report.files[0].rows_refused) == (370_931, 0)
    lines = records.fetch(TENANT, "order_lines", columns=["order_id", "quantity", "unit_price", "kind"])
    orders = records.fetch(TENANT, "orders")
    anonymous = {order["order_id"] for order in orders if order["customer_id"] is None}
    assert len(lines) == 370_931
    assert len(orders) == 18_786
    assert sum(line["quantity"] * line["unit_price"] for line in lines) == pytest.approx(
        6_781_619.00, abs=0.01
    )
    assert sum(order["value"] for order in orders) == pytest.approx(6_781_619.00, abs=0.01)
    assert len({order["customer_id"] for order in orders} - {None}) == 3_658
    assert records.count(TENANT, "customers") == 3_658
    assert sum(line["order_id"] in anonymous for line in lines) == 98_056
    assert sum(line["kind"] == "cancellation" for line in lines) == 6_652
    assert str(records.as_of(TENANT)) == "2011-09-30 17:22:00+00:00"


def test_every_rule_met_the_rows_it_is_for(imported):
    """The counts of the report, rule by rule."""
    _, report = imported
    assert {rule.name: rule.rows for file in report.files for rule in file.rules} == RULE_ROWS
    assert (report.rows_mended, report.rows_refused) == (454, 0)


def test_what_is_no_goods_is_not_in_the_catalogue(imported):
    """Postage and fees are lines of orders and no products; every product has a name."""
    records, _ = imported
    products = records.fetch(TENANT, "products")
    assert not {"POST", "DOT", "M", "BANK CHARGES", "gift_0001_20"} & {product["sku"] for product in products}
    assert all(product["name"] and product["price"] > 0 for product in products)


def test_a_second_import_is_quick_and_changes_nothing(imported):
    """Nothing new, also with strict, for no row was refused."""
    records, _ = imported
    assert import_folder(WHOLESALER, records, TENANT, strict=True).nothing_new
    assert records.count(TENANT, "order_lines") == 370_931


@pytest.mark.parametrize("name", DIRT)
def test_each_dirt_has_its_rule(tmp_path, name):
    """A line with one kind of dirt meets the rule of that name and becomes what the rule says."""
    records = SqliteRecords(":memory:")
    (report,) = import_folder(dirty_folder(tmp_path, DIRT[name]), records, TENANT).files
    met = {rule.name: rule.rows for rule in report.rules}
    assert met[name] == 1
    kind = OUTCOME.get(name, "sale")
    found = [order["kind"] for order in records.fetch(TENANT, "orders")]
    assert found == ([] if kind is None else [kind])


def test_lines_repeated_in_an_invoice_are_all_meant(tmp_path):
    """The same article may stand twice on an invoice."""
    row = "1,85123A,HOLDER,6,2011-01-05 08:26:00,2.50,17850,United Kingdom"
    records = SqliteRecords(":memory:")
    import_folder(dirty_folder(tmp_path, f"{row}\n{row}"), records, TENANT)
    assert [order["value"] for order in records.fetch(TENANT, "orders")] == [30.0]


def test_every_customer_has_a_person_and_every_person_is_made_up(imported):
    """Persons are labelled, cannot be reached, and have consented before the books end if at all."""
    records, _ = imported
    contacts = records.fetch(TENANT, "contacts")
    assert {contact["customer_id"] for contact in contacts} == {
        customer["customer_id"] for customer in records.fetch(TENANT, "customers")
    }
    assert {contact["source"] for contact in contacts} == {"fabricated"}
    emails = [contact["email"] for contact in contacts if contact["email"]]
    assert len(set(emails)) == len(emails)
    assert all(email.endswith(".example") and email.isascii() for email in emails)
    last_day = records.as_of(TENANT).isoformat()
    for contact in contacts:
        assert (
            (contact["consent"] == "none")
            == (contact["consent_at"] is None)
            == (contact["consent_source"] is None)
        )
        assert (contact["consent_at"] or "") < last_day


def test_shares_of_the_made_up_persons(imported):
    """Most have consented, some have opted out, some have no address."""
    records, _ = imported
    contacts = records.fetch(TENANT, "contacts")
    consents = Counter(contact["consent"] for contact in contacts)
    assert consents["express"] + consents["soft_opt_in"] > 0.75 * len(contacts)
    assert consents["none"] > 0.05 * len(contacts)
    assert 0.02 < sum(contact["opted_out"] for contact in contacts) / len(contacts) < 0.04
    assert 0.02 < sum(contact["email"] is None for contact in contacts) / len(contacts) < 0.04


def test_countries_and_time_zones_agree(imported):
    """A person lives where the customer buys, and a known country has a time zone."""
    records, _ = imported
    country = {row["customer_id"]: row["country"] for row in records.fetch(TENANT, "customers")}
    for contact in records.fetch(TENANT, "contacts"):
        assert contact["country"] == country[contact["customer_id"]]
        assert (contact["country"] is None) == (contact["timezone"] is None)


def test_the_script_writes_the_same_bytes_again(tmp_path):
    """contacts.csv is what make_contacts.py makes of the books."""
    for path in WHOLESALER.iterdir():
        if path.name != "contacts.csv" and path.is_file():
            shutil.copy(path, tmp_path)
    subprocess.run([sys.executable, str(tmp_path / "make_contacts.py")], check=True)
    assert (tmp_path / "contacts.csv").read_bytes() == (WHOLESALER / "contacts.csv").read_bytes()


def test_the_organization_is_made_up_too(imported):
    """There is one sender, complete, and unreachable."""
    records, _ = imported
    (sender,) = records.fetch(TENANT, "organizations")
    assert sender["sender_email"].endswith(".example")
    assert all(sender.values())
    with (WHOLESALER / "organization.csv").open() as text:
        assert {row["source"] for row in csv.DictReader(text)} == {"fabricated"}
