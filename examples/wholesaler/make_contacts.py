"""Write contacts.csv: made-up companies and persons for every customer id of the wholesaler's books.

The books name customers by number only. Everything here but the number, the country and the order a
soft opt-in refers to is invented; addresses end in `.example`, which no mail reaches. Running the
script again writes the same bytes.
"""

import csv
import gzip
import random
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any, TypeVar

import yaml

HERE = Path(__file__).parent
BOOKS = HERE / "online_retail_2010-12-01_to_2011-09-30.csv.gz"
WORDS: dict[str, Any] = yaml.safe_load((HERE / "words.yaml").read_text(encoding="utf-8"))
MAPPING: dict[str, Any] = yaml.safe_load((HERE / "import.yaml").read_text(encoding="utf-8"))
SEED = "wholesaler-1"

OPTED_OUT_SHARE = 0.03
WITHOUT_ADDRESS_SHARE = 0.03
EXPRESS_SHARE = 0.40
SOFT_OPT_IN_SHARE = 0.45
SECOND_PERSON_SHARE = 0.15
THIRD_PERSON_SHARE = 0.04

ROLES = (
    "Buyer",
    "Senior Buyer",
    "Head of Purchasing",
    "Purchasing Manager",
    "Owner",
    "Managing Director",
    "Category Manager",
    "Shop Manager",
)
EXPRESS_SOURCES = (
    "sign-up form on the shop page",
    "card filled in at a trade fair",
    "double opt-in by e-mail",
)

T = TypeVar("T")


@dataclass
class Customer:
    """What the books tell of a customer."""

    customer_id: str
    country: str = ""
    first_seen: date = date.max
    first_sale: str = ""


def read_customers() -> tuple[list[Customer], date]:
    """The customers of the books in order of their numbers, and the last day of the books."""
    countries: dict[str, str] = MAPPING["files"][0]["columns"]["country"]["values"]
    customers: dict[str, Customer] = {}
    last_day = date.min
    with gzip.open(BOOKS, "rt", encoding="utf-8", newline="") as text:
        for row in csv.DictReader(text):
            day = date.fromisoformat(row["InvoiceDate"][:10])
            last_day = max(last_day, day)
            if number := row["CustomerID"]:
                customer = customers.setdefault(number, Customer(number))
                customer.country = countries.get(row["Country"], customer.country)
                customer.first_seen = min(customer.first_seen, day)
                if not customer.first_sale and int(row["Quantity"]) > 0:
                    customer.first_sale = row["InvoiceNo"]
    return [customers[number] for number in sorted(customers)], last_day


def contacts() -> Iterator[dict[str, str]]:
    """Every row of the file."""
    customers, last_day = read_customers()
    companies: set[str] = set()
    for customer in customers:
        chance = random.Random(f"{SEED}/{customer.customer_id}")
        company = new_company(chance, companies)
        for number, name in enumerate(new_names(chance, customer.country), start=1):
            yield {
                "contact_id": f"{customer.customer_id}-{number}",
                "customer_id": customer.customer_id,
                "company": f"{company} {WORDS['company']['legal_form'].get(customer.country, 'Ltd')}",
                "name": name,
                "role": pick(chance, ROLES),
                "country": customer.country,
                "timezone": WORDS["timezone"].get(customer.country, ""),
                **reach(chance, customer, address(name, company), last_day),
                "source": "fabricated",
            }


def new_company(chance: random.Random, taken: set[str]) -> str:
    """A company name that no other customer has."""
    while True:
        words = (pick(chance, WORDS["company"][part].split()) for part in ("first", "second", "trade"))
        company = " ".join(words)
        if company not in taken:
            taken.add(company)
            return company


def new_names(chance: random.Random, country: str) -> list[str]:
    """The persons known at one customer, no two of one name."""
    groups = WORDS["person"]
    group = next((group for group in groups if country in group["countries"]), groups[-1])
    share = chance.random()
    wanted = 1 + (share < SECOND_PERSON_SHARE) + (share < THIRD_PERSON_SHARE)
    names: list[str] = []
    while len(names) < wanted:
        name = " ".join(pick(chance, group[part].split()) for part in ("given", "family"))
        if name not in names:
            names.append(name)
    return names


def address(name: str, company: str) -> str:
    """An e-mail address that cannot exist."""
    return f"{plain_letters(name).replace(' ', '.')}@{plain_letters(company).replace(' ', '-')}.example"


def reach(chance: random.Random, customer: Customer, email: str, last_day: date) -> dict[str, str]:
    """Whether and how the person may be written to."""
    known = chance.random() >= WITHOUT_ADDRESS_SHARE
    consent = consent_of(chance, customer, last_day) if known else ("none", "", "")
    return {
        "email": email if known else "",
        **dict(zip(("consent", "consent_at", "consent_source"), consent, strict=True)),
        "opted_out": "true" if chance.random() < OPTED_OUT_SHARE else "false",
    }


def consent_of(chance: random.Random, customer: Customer, last_day: date) -> tuple[str, str, str]:
    """The consent, its day and what shows it: not before the first order, not after the last day."""
    share = chance.random()
    days = int(chance.random() * (last_day - customer.first_seen).days)
    if share < EXPRESS_SHARE:
        return "express", str(customer.first_seen + timedelta(days=days)), pick(chance, EXPRESS_SOURCES)
    if share < EXPRESS_SHARE + SOFT_OPT_IN_SHARE and customer.first_sale:
        source = f"order {customer.first_sale}, with the offer to opt out"
        return "soft_opt_in", str(customer.first_seen), source
    return "none", "", ""


def plain_letters(text: str) -> str:
    """Lower-case ASCII, as addresses are written."""
    return unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()


def pick(chance: random.Random, choices: Sequence[T]) -> T:
    """One of the choices. Only `random()` is promised to stay the same in later versions of Python."""
    return choices[int(chance.random() * len(choices))]


def main() -> None:
    """Write the file."""
    columns = list(MAPPING["files"][2]["columns"].values())
    with (HERE / "contacts.csv").open("w", encoding="utf-8", newline="") as text:
        writer = csv.DictWriter(text, columns, lineterminator="\n")
        writer.writeheader()
        writer.writerows(contacts())


if __name__ == "__main__":
    main()
