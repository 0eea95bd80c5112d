"""The command line called in this process, and a small company's books as CSV files for it."""

from __future__ import annotations

import contextlib
import csv
import io
import json
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import structlog

from dirigent.cli.main import run
from tests.acceptance.books import LAST_DAY, PRODUCTS, RHYTHM_DAYS, SILENT_DAYS

TENANT = "org_123"
DORMANT = 14
ACTIVE = 42
ORDERS = 6
OURS = ("DIRIGENT_", "PORT", "LOG_LEVEL", "COLUMNS", "USER")
GOAL = {
    "goal_type": "REVIVE_PIPELINE",
    "description": "Reactivate 50 dormant enterprise leads",
    "target_metrics": {"meetings_booked": 5, "reply_rate": 0.15},
    "constraints": {"autonomy_level": "L2", "max_budget": 1000},
    "org_id": TENANT,
    "user_id": "user_456",
}
MAPPING = """\
version: 1
files:
  - file: orders.csv
    holds: order_lines
    columns: {order_id: order, ordered_at: at, customer_id: customer, sku: sku, description: name,
              quantity: quantity, unit_price: price, country: country}
    rules:
      - name: negative-price
        when: {unit_price: {less_than: 0}}
        then: refuse
        reason: Nothing is sold below nothing.
  - file: organization.csv
    holds: organizations
    columns: {organization_id: id, name: name, sender_name: sender, sender_email: email,
              postal_address: address, unsubscribe_base: unsubscribe}
  - file: contacts.csv
    holds: contacts
    columns: {contact_id: id, customer_id: customer, customer_name: company, name: name, role: role,
              email: email, country: country, timezone: timezone, consent: consent, consent_at: consent_at,
              consent_source: consent_source, opted_out: opted_out}
"""


@dataclass(frozen=True)
class Said:
    """What a command line answered."""

    code: int
    out: str
    err: str

    @property
    def data(self) -> Any:
        """The answer as JSON."""
        return json.loads(self.out)


def dirigent(*arguments: object, data: Path | None = None, **environment: str) -> Said:
    """Run `dirigent` with these arguments, with nothing of ours in the environment but what is given."""
    words = [str(argument) for argument in arguments]
    if data is not None:
        words += ["--data", str(data)]
    out, err = io.StringIO(), io.StringIO()
    with _surroundings({"COLUMNS": "160", **environment}):
        try:
            with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
                code = run(words)
        finally:
            structlog.reset_defaults()
    said = Said(code, out.getvalue(), err.getvalue())
    assert "Traceback" not in said.out + said.err, said.err
    return said


def write_books(folder: Path, *, refused: bool = False) -> Path:
    """Fourteen big customers who fell silent and forty-two who still order, as files with their mapping."""
    folder.mkdir(parents=True, exist_ok=True)
    customers = [f"C{number:02}" for number in range(DORMANT + ACTIVE)]
    lines = [line for number, name in enumerate(customers) for line in _lines(number, name)]
    if refused:
        lines.append(["X-1", LAST_DAY.isoformat(), "C00", "P1", "PAPER LANTERN", 1, -5, "GB"])
    columns = ("order", "at", "customer", "sku", "name", "quantity", "price", "country")
    _write(folder / "orders.csv", columns, lines)
    sender = ("Small Books", "sales@books.example", "1 Example Yard, Exampleton EX1 1EX")
    _write(
        folder / "organization.csv",
        ("id", "name", "sender", "email", "address", "unsubscribe"),
        [["o1", "Small Books Ltd", *sender, "https://books.example/unsubscribe"]],
    )
    columns = ("id", "customer", "company", "name", "role", "email", "country", "timezone")
    consent = ("consent", "consent_at", "consent_source", "opted_out")
    _write(folder / "contacts.csv", (*columns, *consent), [_contact(name) for name in customers])
    (folder / "import.yaml").write_text(MAPPING)
    return folder


def write_goal(folder: Path, **fields: Any) -> Path:
    """The quick-start goal as a file."""
    file = folder / "goal.json"
    file.write_text(json.dumps(GOAL | fields))
    return file


def _lines(number: int, customer: str) -> Iterator[list[object]]:
    dormant = number < DORMANT
    last = LAST_DAY - timedelta(days=SILENT_DAYS + number if dormant else number % 5)
    for index in range(ORDERS):
        at = last - timedelta(days=RHYTHM_DAYS * (ORDERS - 1 - index))
        for sku, name in PRODUCTS.items():
            price = 60.0 if dormant else 6.0
            yield [f"{customer}-{index}", at.isoformat(), customer, sku, name, 5, price, "GB"]


def _contact(customer: str) -> list[object]:
    address = f"ann@{customer.lower()}.example"
    who = [f"K-{customer}", customer, f"{customer} Gifts Ltd", "Ann Buyer", "Buyer", address]
    return [*who, "GB", "Europe/London", "soft_opt_in", "2011-01-05T00:00:00Z", "order form", "false"]


def _write(file: Path, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    with file.open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(columns)
        writer.writerows(rows)


@contextlib.contextmanager
def _surroundings(environment: dict[str, str]) -> Iterator[None]:
    kept = dict(os.environ)
    for name in kept:
        if name.startswith(OURS):
            del os.environ[name]
    os.environ.update(environment)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(kept)
