"""Taking folders in: once, whole, again, and after a change."""

import pytest
import yaml

from dirigent.domain.errors import InvalidInput
from tests.intake.imports.conftest import COLUMNS, LINES, TENANT

NO_SKU = "3,2011-02-02 10:00:00,18,,POT,1,4.00,DE\n"
BAD_PRICE = "4,2011-02-02 10:00:00,18,pot,POT,1,four,DE\n"
REFUSE_POTS = {"name": "no-pots", "when": {"sku": "pot"}, "then": "refuse", "reason": "Pots are gone."}


def rule_rows(report):
    return {rule.name: rule.rows for rule in report.rules}


def test_lines_become_orders_customers_and_products(shop):
    """Every row is taken; equal lines of an order are all meant."""
    report = shop.take_file()
    assert (report.state, report.rows_taken, report.rows_mended, report.rows_refused) == ("imported", 3, 0, 0)
    assert shop.fetch("orders", "value") == [6.0, 4.0]
    assert shop.count("order_lines") == 3
    assert shop.fetch("customers", "customer_id", "country", "first_seen") == [
        {"customer_id": "17", "country": "GB", "first_seen": "2011-01-05T09:00:00Z"},
        {"customer_id": "18", "country": "DE", "first_seen": "2011-02-01T10:00:00Z"},
    ]
    assert shop.fetch("products", "name") == ["MUG", "POT"]


def test_a_second_import_finds_nothing_new(shop):
    """The same content and mapping is not read again, and the report says what was taken at the time."""
    first = shop.take_file()
    again = shop.take()
    assert again.nothing_new
    assert again.files[0].rows_taken == first.rows_taken
    assert shop.count("order_lines") == 3


def test_a_changed_file_makes_no_doubles(shop):
    """Orders the file names are replaced line by line, new ones join, others stay."""
    shop.take()
    shop.lines(LINES.replace("pot,POT,1", "pot,POT,5") + "9,2011-03-01 10:00:00,17,mug,MUG,1,1.50,GB\n")
    report = shop.take_file()
    assert report.state == "imported"
    assert shop.fetch("orders", "value") == [6.0, 20.0, 1.5]
    assert shop.count("order_lines") == 4
    shop.lines("1,2011-01-05 09:00:00,17,mug,MUG,1,1.50,GB\n")
    shop.take()
    assert shop.fetch("orders", "value") == [1.5, 20.0, 1.5]


def test_a_changed_rule_is_a_new_import(shop):
    """What a rule newly refuses leaves the records."""
    shop.take()
    shop.mapping(REFUSE_POTS)
    report = shop.take_file()
    assert (report.rows_taken, report.rows_refused) == (2, 1)
    assert shop.fetch("orders", "order_id") == ["1"]


def test_the_same_orders_from_two_files_are_the_same_orders(shop):
    """Keys decide, not where a row came from."""
    shop.take()
    shop.lines(name="copy.csv.gz")
    shop.mapping(file="copy.csv.gz")
    assert shop.take_file().state == "imported"
    assert shop.count("order_lines") == 3
    assert shop.fetch("imports", "source") == ["copy.csv.gz", "lines.csv"]


def test_bad_rows_among_good_ones_are_refused_with_line_and_reason(shop):
    """The good rows are taken; the report tells line, rule and what was wrong."""
    shop.lines(NO_SKU + LINES + BAD_PRICE + "5,6,7\n")
    report = shop.take_file()
    assert (report.rows_taken, report.rows_refused) == (3, 3)
    told = {rule.name: [(example.line, example.detail) for example in rule.examples] for rule in report.rules}
    assert told == {
        "broken-row": [(7, "3 cells where the header has 8")],
        "unreadable-value": [(6, "unit_price: 'four' is not a number")],
        "missing-value": [(2, "sku is blank")],
    }


def test_strict_refuses_the_whole_file_for_one_row(shop):
    """Nothing is taken, the error names the rows, and a later import without strict works."""
    shop.lines(LINES + NO_SKU)
    with pytest.raises(InvalidInput) as caught:
        shop.take(strict=True)
    assert "lines.csv: 1 of 4 rows are refused" in caught.value.message
    assert "line 5: sku is blank (missing-value)" in caught.value.message
    assert shop.count("order_lines") == 0
    assert shop.count("imports") == 0
    assert shop.take_file().rows_taken == 3


def test_strict_is_not_content_with_an_earlier_import(shop):
    """A file taken with refused rows is refused when it comes again with strict; a clean one is not new."""
    shop.take(strict=True)
    assert shop.take(strict=True).nothing_new
    shop.lines(LINES + NO_SKU)
    shop.take()
    with pytest.raises(InvalidInput):
        shop.take(strict=True)
    assert shop.count("order_lines") == 3


def test_a_bad_file_keeps_all_files_out(shop):
    """Every file is looked at before the first is read."""
    missing = {"file": "people.csv", "holds": "contacts", "columns": {"contact_id": "id"}}
    lines = {"file": "lines.csv", "holds": "order_lines", "columns": COLUMNS}
    shop.mapping_text(yaml.safe_dump({"files": [lines, missing]}))
    with pytest.raises(InvalidInput, match=r"no file people\.csv"):
        shop.take()
    assert shop.count("orders") == 0


def test_people_bring_their_company_and_repeated_ones_are_refused(shop):
    """Contacts name and complete the customers; the first row with an id counts."""
    shop.take()
    columns = (
        "contact_id",
        "customer_id",
        "customer_name",
        "email",
        "consent",
        "consent_at",
        "opted_out",
        "country",
    )
    (shop.folder / "people.csv").write_text(
        ",".join(columns)
        + "\na,17,Acme,ann@acme.example,express,2011-01-05,no,US\nb,99,Bond,,,,yes,FR\na,17,Acme,,,,,\n"
    )
    spec = {"file": "people.csv", "holds": "contacts", "columns": {name: name for name in columns}}
    shop.mapping_text(yaml.safe_dump({"files": [spec]}))
    report = shop.take_file()
    assert (report.rows_taken, report.rows_refused) == (2, 1)
    assert report.rules[0].name == "repeated-key"
    assert report.rules[0].examples[0].detail == "contact_id stands already on line 2"
    assert shop.fetch("contacts", "consent", "consent_at", "opted_out") == [
        {"consent": "express", "consent_at": "2011-01-05T00:00:00Z", "opted_out": False},
        {"consent": "none", "consent_at": None, "opted_out": True},
    ]
    customers = {
        row["customer_id"]: (row["name"], row["country"]) for row in shop.records.fetch(TENANT, "customers")
    }
    assert customers == {"17": ("Acme", "GB"), "18": (None, "DE"), "99": ("Bond", "FR")}


@pytest.mark.parametrize(
    ("holds", "columns", "row", "kept"),
    [
        ("products", ("sku", "name", "price"), "p,Pan,2.5", {"sku": "p", "name": "Pan", "price": 2.5}),
        (
            "suppressions",
            ("address", "reason", "at"),
            "JÖRG@b.example,asked,2011-01-01",
            {"address": "jörg@b.example"},
        ),
        ("customers", ("customer_id", "name", "country"), "5,Five,FR", {"customer_id": "5", "country": "FR"}),
        ("organizations", ("organization_id", "sender_name"), "o,Us", {"sender_name": "Us", "name": None}),
    ],
)
def test_every_kind_of_file_is_taken(shop, holds, columns, row, kept):
    """A file can hold each of the things the records keep of a company."""
    shop.lines(f"{row}\n", header=",".join(columns), name="some.csv")
    shop.mapping(file="some.csv", holds=holds, columns={name: name for name in columns})
    assert shop.take_file().rows_taken == 1
    (found,) = shop.records.fetch(TENANT, holds)
    assert {name: found[name] for name in kept} == kept


def test_tenants_do_not_share_an_import(shop):
    """What one tenant has taken in is new to another, and stays apart."""
    shop.take()
    other = shop.records.fetch("org_other", "orders")
    assert other == []


def test_progress_counts_the_bytes_of_all_files(shop):
    """It rises, names the file, and ends with everything, also where nothing is new."""
    size = (shop.folder / "lines.csv").stat().st_size
    for _ in range(2):
        heard: list[tuple[str, int, int]] = []
        shop.take(progress=lambda *told, heard=heard: heard.append(told))
        assert heard[-1] == ("lines.csv", size, size)
        assert heard == sorted(heard)


def test_an_import_of_no_rows_is_an_import(shop):
    """A header alone is a file without orders."""
    shop.lines("")
    assert shop.take_file().rows_taken == 0
    assert shop.take().nothing_new
