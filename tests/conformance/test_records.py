"""What every backend of the ports `Records` and `RecordsLoader` must do."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from dirigent.domain.errors import InvalidInput
from dirigent.ports import Records, RecordsLoader
from dirigent.storage.sqlite.records import SqliteRecords

TENANT = "org_a"
OTHER = "org_b"
ORDERS: list[dict[str, Any]] = [
    {
        "order_id": "1",
        "customer_id": "17",
        "ordered_at": "2011-03-01T10:00:00Z",
        "kind": "sale",
        "value": 12.5,
    },
    {
        "order_id": "2",
        "customer_id": None,
        "ordered_at": "2011-05-01T10:00:00Z",
        "kind": "sale",
        "value": 3.0,
    },
    {
        "order_id": "3",
        "customer_id": "17",
        "ordered_at": "2011-04-01T10:00:00Z",
        "kind": "return",
        "value": -2,
    },
]
LINE_COLUMNS = (
    "order_id",
    "ordered_at",
    "customer_id",
    "country",
    "sku",
    "description",
    "quantity",
    "unit_price",
)
ENTRY = {"source": "a.csv", "sha256": "x", "mapping_sha256": "y", "report": {"rows": 1}}
COUNTS = {"rows_taken": 1, "rows_mended": 0, "rows_refused": 0}


@pytest.fixture(params=["file", "memory"])
def records(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[SqliteRecords]:
    backend = SqliteRecords(":memory:" if request.param == "memory" else tmp_path / "records.db")
    yield backend
    backend.close()


def load_lines(records: RecordsLoader, *lines: tuple, tenant: str = TENANT, withdrawn: tuple = ()) -> None:
    """Take in order lines as one source: (line, order, sku, quantity, price, kind) each."""
    with records.load(tenant, "order_lines", [*LINE_COLUMNS, "kind", "goods"]) as load:
        load.add(
            [
                (
                    line,
                    order,
                    "2011-01-01T08:00:00Z",
                    "17",
                    "GB",
                    sku,
                    f"{sku} item",
                    quantity,
                    price,
                    kind,
                    True,
                )
                for line, order, sku, quantity, price, kind in lines
            ]
        )
        load.withdraw(withdrawn)
        load.commit(ENTRY | COUNTS)


def ids(rows: list[dict]) -> list[str]:
    return [row["order_id"] for row in rows]


def test_it_is_what_the_ports_ask_for(records):
    """A backend has every method of the two ports."""
    assert isinstance(records, Records)
    assert isinstance(records, RecordsLoader)


def test_what_was_saved_is_fetched(records):
    """Rows come back with all columns, in order of their key, and `save` says how many there were."""
    assert records.save(TENANT, "orders", ORDERS) == 3
    assert records.fetch(TENANT, "orders") == ORDERS


def test_a_row_with_the_same_key_replaces(records):
    """The key decides what is the same row; columns not named take their defaults."""
    records.save(
        TENANT, "contacts", [{"contact_id": "c", "name": "Ann", "email": "ann@a.example", "opted_out": True}]
    )
    records.save(TENANT, "contacts", [{"contact_id": "c", "name": "Bea"}])
    (row,) = records.fetch(TENANT, "contacts")
    assert (row["name"], row["email"], row["consent"], row["opted_out"]) == ("Bea", None, "none", False)


def test_rows_of_one_save_may_name_different_columns(records):
    """Each row stands for itself."""
    records.save(TENANT, "products", [{"sku": "a", "price": 1.5}, {"name": "B", "sku": "b"}])
    assert records.fetch(TENANT, "products") == [
        {"sku": "a", "name": None, "price": 1.5},
        {"sku": "b", "name": "B", "price": None},
    ]


@pytest.mark.parametrize(
    ("where", "found"),
    [
        ({"customer_id": "17"}, ["1", "3"]),
        ({"customer_id": None}, ["2"]),
        ({"customer_id": ["17", None]}, ["1", "2", "3"]),
        ({"order_id": ("3", "1", "nobody")}, ["1", "3"]),
        ({"order_id": []}, []),
        ({"customer_id": "17", "kind": "return"}, ["3"]),
        ({"ordered_at": "2011-05-01T12:00:00+02:00"}, ["2"]),
    ],
)
def test_where_takes_a_value_or_several(records, where, found):
    """A column is compared with a value, with nothing, or with any of several; times by the moment."""
    records.save(TENANT, "orders", ORDERS)
    assert ids(records.fetch(TENANT, "orders", where=where)) == found
    assert records.count(TENANT, "orders", where=where) == len(found)


def test_a_list_may_be_longer_than_a_database_takes_parameters(records):
    """`where` with fifty thousand values works."""
    records.save(TENANT, "orders", ORDERS)
    many = [str(number) for number in range(3, 50_003)]
    assert ids(records.fetch(TENANT, "orders", where={"order_id": many})) == ["3"]


def test_order_limit_and_columns(records):
    """A column orders, a minus turns round, `limit` cuts, `columns` picks."""
    records.save(TENANT, "orders", ORDERS)
    assert ids(records.fetch(TENANT, "orders", order_by="ordered_at")) == ["1", "3", "2"]
    latest = records.fetch(TENANT, "orders", columns=["order_id", "value"], order_by="-ordered_at", limit=1)
    assert latest == [{"order_id": "2", "value": 3.0}]
    assert records.fetch(TENANT, "orders", limit=0) == []


@pytest.mark.parametrize(
    ("entity", "asked", "field", "nearest"),
    [
        ("oders", {}, "oders", "'orders'"),
        ("orders", {"columns": ["vlaue"]}, "orders.vlaue", "'value'"),
        ("orders", {"where": {"custmer_id": "1"}}, "orders.custmer_id", "'customer_id'"),
        ("orders", {"order_by": "ordered"}, "orders.ordered", "'ordered_at'"),
        ("orders", {"where": {"1=1; DROP TABLE orders": "1"}}, "orders.1=1; DROP TABLE orders", "Known:"),
        ("orders", {"where": {"tenant": OTHER}}, "orders.tenant", "Known:"),
    ],
)
def test_an_unknown_name_is_refused_with_the_nearest(records, entity, asked, field, nearest):
    """Only declared entities and columns can be named, in any place."""
    with pytest.raises(InvalidInput) as caught:
        records.fetch(TENANT, entity, **asked)
    assert caught.value.field == field
    assert nearest in caught.value.fix


@pytest.mark.parametrize(
    ("entity", "row", "named"),
    [
        ("orders", {"order_id": "1", "valu": 1}, "orders.valu"),
        ("orders", {"order_id": 1}, "orders.order_id"),
        ("orders", {"order_id": "1", "value": "12"}, "orders.value"),
        ("orders", {"order_id": "1", "value": float("nan")}, "orders.value"),
        ("order_lines", {"order_id": "1", "line": 2**63}, "order_lines.line"),
        ("orders", {"order_id": "1", "ordered_at": "yesterday"}, "orders.ordered_at"),
        ("orders", {"order_id": "1", "value": 1.0}, "orders.ordered_at"),
        ("orders", {"ordered_at": "2011-01-01", "value": 1.0}, "orders.order_id"),
        (
            "orders",
            {"order_id": "1", "ordered_at": "2011-01-01", "value": 1.0, "kind": "gift"},
            "order's kind is sale",
        ),
        ("contacts", {"contact_id": "1", "consent": "perhaps"}, "consent is none, express or soft_opt_in"),
        ("contacts", {"contact_id": "1", "opted_out": 1}, "contacts.opted_out"),
        ("contacts", {"contact_id": "1", "name": "\ud800"}, "contacts.name"),
    ],
)
def test_a_value_that_does_not_fit_is_refused(records, entity, row, named):
    """The error names the column, and no row of that save is kept."""
    with pytest.raises(InvalidInput) as caught:
        records.save(TENANT, entity, [row])
    assert named in f"{caught.value.field} {caught.value.message}"
    assert records.count(TENANT, entity) == 0


def test_a_save_is_taken_whole_or_not_at_all(records):
    """One bad row keeps the others out, also when only the database can see that it is bad."""
    good, bad = ORDERS[0], {"order_id": "9", "ordered_at": "2011-01-01", "value": 1.0, "kind": "gift"}
    with pytest.raises(InvalidInput):
        records.save(TENANT, "orders", [good, bad])
    assert records.count(TENANT, "orders") == 0


def test_messages_keep_their_bytes_and_their_evidence(records):
    """Content is text or bytes as handed in; evidence is a JSON value."""
    content = b"From: a@a.example\r\n\r\nHi \xff"
    rows = [
        {"message_id": "m1", "state": "draft", "content": content, "evidence": [{"text": "é", "n": 1.5}]},
        {"message_id": "m2", "state": "draft", "content": "Subject: x\n\nhi", "evidence": None},
    ]
    records.save(TENANT, "messages", rows)
    stored = records.fetch(TENANT, "messages", columns=["message_id", "state", "content", "evidence"])
    assert stored == rows


def test_hostile_values_are_only_values(records):
    """Quotes, NUL and SQL in a value come back as they were."""
    name = "Robert'); DROP TABLE products;--\0 ü"
    records.save(TENANT, "products", [{"sku": "x", "name": name, "price": 1.0}])
    assert records.fetch(TENANT, "products", where={"name": name})[0]["name"] == name


def test_a_tenant_never_sees_another(records):
    """Rows, counts, dates and imports of one tenant do not exist for another, even with equal keys."""
    records.save(TENANT, "orders", ORDERS)
    load_lines(records, (2, "1", "a", 1, 1.0, "sale"), tenant=TENANT)
    assert records.fetch(OTHER, "orders") == []
    assert records.count(OTHER, "orders") == 0
    assert records.as_of(OTHER) is None
    assert records.last_import(OTHER, "a.csv") is None
    records.save(OTHER, "orders", [{**ORDERS[0], "value": 99.0}])
    load_lines(records, (2, "2", "a", 1, 1.0, "sale"), tenant=OTHER, withdrawn=("1",))
    assert ids(records.fetch(OTHER, "orders")) == ["2"]
    assert ids(records.fetch(TENANT, "orders")) == ["1", "2", "3"]


@pytest.mark.parametrize("call", ["fetch", "count", "save", "as_of"])
def test_a_tenant_must_be_named(records, call):
    """The empty tenant is nobody."""
    arguments = {"fetch": ("orders",), "count": ("orders",), "save": ("orders", ORDERS), "as_of": ()}[call]
    with pytest.raises(InvalidInput):
        getattr(records, call)("", *arguments)


def test_as_of_is_the_last_order(records):
    """It is a moment with a zone, and None before there are orders."""
    assert records.as_of(TENANT) is None
    records.save(TENANT, "orders", ORDERS)
    assert records.as_of(TENANT) == datetime(2011, 5, 1, 10, tzinfo=UTC)


def test_any_thread_may_call(records):
    """Eight threads save and read at once; nothing is lost."""

    def work(number: int) -> int:
        rows = [{"sku": f"{number}-{item}", "name": "x", "price": 1.0} for item in range(20)]
        for row in rows:
            records.save(TENANT, "products", [row])
        return len(records.fetch(TENANT, "products", where={"sku": [row["sku"] for row in rows]}))

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(work, range(8))) == [20] * 8
    assert records.count(TENANT, "products") == 160


def test_a_load_makes_orders_customers_and_products_of_lines(records):
    """Lines are numbered within their order; the order's value is their sum, its kind what weighs most."""
    load_lines(
        records,
        (2, "A", "mug", 2, 1.25, "sale"),
        (3, "A", "mug", 2, 1.25, "sale"),
        (4, "B", "pot", -1, 4.0, "return"),
        (5, "A", "pot", 1, 4.5, "sale"),
        (6, "C", "mug", -2, 1.25, "cancellation"),
    )
    lines = records.fetch(TENANT, "order_lines", where={"order_id": "A"}, columns=["line", "sku"])
    assert lines == [{"line": 1, "sku": "mug"}, {"line": 2, "sku": "mug"}, {"line": 3, "sku": "pot"}]
    orders = records.fetch(TENANT, "orders", columns=["order_id", "customer_id", "kind", "value"])
    assert [tuple(order.values()) for order in orders] == [
        ("A", "17", "sale", 9.5),
        ("B", "17", "return", -4.0),
        ("C", "17", "cancellation", -2.5),
    ]
    (customer,) = records.fetch(TENANT, "customers")
    assert (customer["country"], customer["first_seen"]) == ("GB", "2011-01-01T08:00:00Z")
    assert records.fetch(TENANT, "products") == [
        {"sku": "mug", "name": "mug item", "price": 1.25},
        {"sku": "pot", "name": "pot item", "price": 4.5},
    ]


def test_a_load_replaces_the_orders_it_names(records):
    """Lines of an order there was go; orders it does not name stay; withdrawn ones go."""
    load_lines(records, (2, "A", "mug", 1, 1.0, "sale"), (3, "A", "pot", 1, 1.0, "sale"))
    load_lines(records, (2, "B", "mug", 1, 1.0, "sale"), (3, "C", "mug", 1, 1.0, "sale"))
    load_lines(records, (2, "A", "cup", 3, 1.0, "sale"), withdrawn=("C", "A"))
    assert [(order["order_id"], order["value"]) for order in records.fetch(TENANT, "orders")] == [
        ("A", 3),
        ("B", 1),
    ]
    assert [line["sku"] for line in records.fetch(TENANT, "order_lines")] == ["cup", "mug"]


def test_a_load_left_without_commit_takes_in_nothing(records):
    """Neither an error nor simply leaving keeps what was staged, and the next load starts empty."""

    def stage_and_fail() -> None:
        with records.load(TENANT, "products", ["sku"]) as load:
            load.add([(2, "a")])
            raise RuntimeError

    with pytest.raises(RuntimeError):
        stage_and_fail()
    with records.load(TENANT, "products", ["sku"]) as load:
        load.add([(2, "b")])
    assert records.count(TENANT, "products") == 0
    with records.load(TENANT, "products", ["sku"]) as load:
        load.add([(2, "c")])
        load.commit(ENTRY | COUNTS)
    assert [row["sku"] for row in records.fetch(TENANT, "products")] == ["c"]


def test_a_repeated_key_is_found_and_left_out(records):
    """The first row with a key counts; lines and earlier lines of the others are told."""
    with records.load(TENANT, "customers", ["customer_id", "name"]) as load:
        load.add([(2, "1", "a"), (3, "2", "b"), (4, "1", "c"), (5, "1", "d")])
        assert load.drop_repeated(1) == (2, [(4, 2)])
        load.commit(ENTRY | COUNTS)
    assert [row["name"] for row in records.fetch(TENANT, "customers")] == ["a", "b"]


def test_an_opt_out_outlives_a_later_list(records):
    """A list that says nothing of an opt-out does not undo it; nor does it release a suppressed address."""
    records.save(TENANT, "contacts", [{"contact_id": "c", "email": "a@a.example", "opted_out": True}])
    records.save(TENANT, "suppressions", [{"address": "a@a.example", "reason": "asked", "at": "2011-01-01"}])
    with records.load(TENANT, "contacts", ["contact_id", "email", "opted_out"]) as load:
        load.add([(2, "c", "b@a.example", False)])
        load.commit(ENTRY | COUNTS)
    with records.load(TENANT, "suppressions", ["address", "reason"]) as load:
        load.add([(2, "a@a.example", "list")])
        load.withdraw(["a@a.example"])
        load.commit(ENTRY | COUNTS)
    (contact,) = records.fetch(TENANT, "contacts")
    assert (contact["email"], contact["opted_out"]) == ("b@a.example", True)
    (suppression,) = records.fetch(TENANT, "suppressions")
    assert (suppression["address"], suppression["reason"]) == ("a@a.example", "asked")


def test_the_import_is_on_record_with_its_rows(records):
    """Hashes, counts and report are found by the source's name; a new import takes the old one's place."""
    load_lines(records, (2, "A", "mug", 1, 1.0, "sale"))
    load_lines(records, (2, "A", "mug", 1, 1.0, "sale"))
    found = records.last_import(TENANT, "a.csv")
    assert found is not None
    assert {key: found[key] for key in ENTRY} == ENTRY
    assert datetime.fromisoformat(found["imported_at"]).tzinfo is not None
    assert records.count(TENANT, "imports") == 1


@pytest.mark.parametrize(
    ("entity", "columns"), [("messages", ["message_id"]), ("products", ["sku", "colour"])]
)
def test_only_known_entities_and_columns_are_loaded(records, entity, columns):
    """A load names what it brings, and only what is declared."""
    with pytest.raises(InvalidInput), records.load(TENANT, entity, columns):
        pass
