"""Files as they come: packed, in other encodings, broken, or no CSV at all."""

import gzip

import pytest

from dirigent.domain.errors import InvalidInput
from tests.intake.imports.conftest import HEADER, LINES


def refused(shop) -> InvalidInput:
    with pytest.raises(InvalidInput) as caught:
        shop.take()
    assert shop.count("orders") == 0
    assert shop.count("imports") == 0
    return caught.value


def test_plain_and_packed_files_are_read_alike(shop):
    """Gzip is known by its content, whatever the name."""
    (shop.folder / "lines.csv").write_bytes(gzip.compress(f"{HEADER}\n{LINES}".encode()))
    assert shop.take_file().rows_taken == 3
    assert shop.fetch("orders", "value") == [6.0, 4.0]


def test_a_byte_order_mark_and_empty_lines_do_no_harm(shop):
    """Spreadsheets write such files."""
    (shop.folder / "lines.csv").write_bytes(b"\xef\xbb\xbf" + f"{HEADER}\r\n\r\n{LINES}\n\n".encode())
    assert shop.take_file().rows_taken == 3


def test_other_notations_are_read_as_the_mapping_says(shop):
    """Encoding, separator, decimal comma, date format and time zone belong to the file."""
    body = "1;05.01.2011 09:00;17;mug;Möbel;2;1.234,50;GB\n"
    (shop.folder / "lines.csv").write_bytes(f"{HEADER.replace(',', ';')}\n{body}".encode("cp1252"))
    shop.mapping(
        encoding="cp1252",
        delimiter=";",
        decimal=",",
        timezone="Europe/Berlin",
        columns={
            "order_id": "no",
            "ordered_at": {"column": "at", "format": "%d.%m.%Y %H:%M"},
            "sku": "sku",
            "description": "text",
            "quantity": "quantity",
            "unit_price": "price",
        },
    )
    shop.take()
    assert shop.fetch("orders", "ordered_at", "value") == [
        {"ordered_at": "2011-01-05T08:00:00Z", "value": 2469.0}
    ]
    assert shop.fetch("products", "name") == ["Möbel"]


def test_cells_are_translated_whole(shop):
    """`values` says what a cell means; a cell it does not list stays."""
    shop.mapping(columns={**_columns(), "country": {"column": "country", "values": {"GB": "UK", "DE": None}}})
    shop.take()
    assert shop.fetch("customers", "country") == ["UK", None]


@pytest.mark.parametrize(
    ("cell", "value"),
    [("1.5", 1.5), ("-2", -2.0), ("1e2", 100.0), (".5", 0.5), ("+3", 3.0), ("0.001", 0.001)],
)
def test_numbers_are_read(shop, cell, value):
    """Signs, fractions and exponents."""
    shop.lines(f"1,2011-01-05,17,mug,MUG,1,{cell},GB\n")
    shop.take()
    assert shop.fetch("order_lines", "unit_price") == [value]


@pytest.mark.parametrize("cell", ["nan", "inf", "1_000", "1,5", "0x1", "1e999", "9" * 20, "£2"])
def test_what_is_no_number_is_refused(shop, cell):
    """Nothing is guessed."""
    shop.lines(f'1,2011-01-05,17,mug,MUG,1,"{cell}",GB\n')
    report = shop.take_file()
    assert report.rows_refused == 1
    assert "is not a number" in report.rules[0].examples[0].detail


def test_a_missing_column_is_named_with_the_nearest(shop):
    """The error names file, column and what is like it."""
    shop.lines(header=HEADER.replace("quantity", "Quantities"))
    error = refused(shop)
    assert "lines.csv has no column 'quantity'" in error.message
    assert "'Quantities'" in error.fix


def test_a_column_of_another_case_is_suggested(shop):
    """Headings differ in case more often than in anything else."""
    shop.lines(header=HEADER.replace("sku", "SKU"))
    assert "Did you mean 'SKU'?" in refused(shop).fix


def test_a_column_given_twice_is_refused(shop):
    """Which of the two is meant cannot be told."""
    shop.lines(header=HEADER.replace("text", "sku"))
    assert "2 columns called 'sku'" in refused(shop).message


def test_the_wrong_separator_is_suspected(shop):
    """A header that is one cell full of semicolons says what to set."""
    shop.lines(header=HEADER.replace(",", ";"))
    assert "set `delimiter`" in refused(shop).fix


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "begins with no header"),
        (b"\n\n", "begins with no header"),
        (b"\x00\x01\x02", "is not a CSV file: it contains NUL bytes, at line 1"),
        (f"{HEADER}\n{LINES}a\0b\n".encode(), "it contains NUL bytes, at line 5"),
        (b"PK\x03\x04 a spreadsheet", "it is a spreadsheet or a zip archive"),
        (f"{HEADER}\n{LINES}".encode() + b"caf\xe9\n", "is not utf-8 after line"),
        (f"{HEADER}\n".encode() + b'1,"' + b"x" * 200_000, "field larger than field limit"),
        (f"{HEADER}\n".encode() + b"x" * (2 * 1024 * 1024), "a line is longer than"),
        (gzip.compress(f"{HEADER}\n{LINES}".encode())[:-12], "is a damaged gzip file"),
        (b"\x1f\x8b this is not gzip", "is a damaged gzip file"),
    ],
)
def test_what_is_no_csv_is_refused_whole(shop, content, message):
    """Nothing of it is taken, and the error says why it cannot be read."""
    (shop.folder / "lines.csv").write_bytes(content)
    error = refused(shop)
    assert message in error.message
    assert error.message.startswith("lines.csv ")


def test_a_field_may_hold_line_breaks_and_quotes(shop):
    """Lines are counted as an editor counts them."""
    shop.lines('1,2011-01-05,17,mug,"a ""blue""\nmug",1,1,GB\nbad\n')
    report = shop.take_file()
    assert shop.fetch("products", "name") == ['a "blue"\nmug']
    assert [example.line for example in report.rules[0].examples] == [4]


def test_a_wrong_quote_costs_its_row_only(shop):
    """The row is refused with its line; the rows after it are taken."""
    shop.lines('1,2011-01-05,17,mug,"5" mug,1,1,GB\n' + LINES.replace("1,2011", "7,2011"))
    report = shop.take_file()
    assert (report.rows_taken, report.rows_refused) == (3, 1)
    assert report.rules[0].examples[0].line == 2


@pytest.mark.parametrize("name", ["../lines.csv", "/etc/passwd", "a/../../lines.csv", "."])
def test_a_file_outside_the_folder_is_not_read(shop, name):
    """A mapping cannot reach beyond its folder by name."""
    shop.mapping(file=name)
    assert "import.yaml line" in refused(shop).message


def test_a_link_out_of_the_folder_is_not_followed(shop, tmp_path_factory):
    """A mapping cannot reach beyond its folder by a link."""
    outside = tmp_path_factory.mktemp("outside") / "secret.csv"
    outside.write_text(f"{HEADER}\n{LINES}")
    (shop.folder / "link.csv").symlink_to(outside)
    shop.mapping(file="link.csv")
    assert "There is no file link.csv" in refused(shop).message


def test_a_missing_file_is_named_with_the_nearest(shop):
    """The error lists what there is."""
    shop.mapping(file="line.csv")
    error = refused(shop)
    assert "There is no file line.csv" in error.message
    assert "'lines.csv'" in error.fix


def _columns() -> dict:
    return {
        "order_id": "no",
        "ordered_at": "at",
        "customer_id": "customer",
        "sku": "sku",
        "quantity": "quantity",
        "unit_price": "price",
    }
