"""A small order book in which it is plain who is dormant and who is enterprise."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from dirigent import Dirigent

LAST_DAY = datetime(2011, 9, 30, 12, 0, tzinfo=UTC)
DORMANT = 6
ACTIVE = 18
ORDERS = 6
RHYTHM_DAYS = 20
SILENT_DAYS = 150
PRODUCTS = {"P1": "PAPER LANTERN", "P2": "CAKE STAND", "P3": "GARDEN BELL"}


def small_books(dirigent: Dirigent, tenant: str) -> None:
    """Six big customers silent for 150 days after a rhythm of 20, and eighteen who still order."""
    records = dirigent.records
    customers = [f"C{number:02}" for number in range(DORMANT + ACTIVE)]
    records.save(
        tenant,
        "organizations",
        [
            {
                "organization_id": "o1",
                "name": "Small Books Ltd",
                "sender_name": "Small Books",
                "sender_email": "sales@books.example",
                "postal_address": "1 Example Yard, Exampleton EX1 1EX",
                "unsubscribe_base": "https://books.example/unsubscribe",
            }
        ],
    )
    records.save(
        tenant, "products", [{"sku": sku, "name": name, "price": 5.0} for sku, name in PRODUCTS.items()]
    )
    records.save(tenant, "customers", [{"customer_id": name, "country": "GB"} for name in customers])
    records.save(tenant, "contacts", [_contact(name) for name in customers])
    orders = [order for number, name in enumerate(customers) for order in _orders(number, name)]
    records.save(tenant, "orders", orders)
    records.save(tenant, "order_lines", [line for order in orders for line in _lines(order["order_id"])])


def _contact(customer: str) -> dict[str, object]:
    return {
        "contact_id": f"K-{customer}",
        "customer_id": customer,
        "name": "Ann Buyer",
        "role": "Buyer",
        "email": f"ann@{customer.lower()}.example",
        "country": "GB",
        "timezone": "Europe/London",
        "consent": "soft_opt_in",
        "consent_at": "2011-01-05T00:00:00Z",
        "consent_source": "order form",
        "opted_out": False,
    }


def _orders(number: int, customer: str) -> list[dict[str, object]]:
    dormant = number < DORMANT
    last = LAST_DAY - timedelta(days=SILENT_DAYS + number if dormant else number % 5)
    return [
        {
            "order_id": f"{customer}-{index}",
            "customer_id": customer,
            "ordered_at": last - timedelta(days=RHYTHM_DAYS * (ORDERS - 1 - index)),
            "kind": "sale",
            "value": 900.0 if dormant else 90.0,
        }
        for index in range(ORDERS)
    ]


def _lines(order: object) -> list[dict[str, object]]:
    return [
        {"order_id": order, "line": line, "sku": sku, "quantity": 3, "unit_price": 5.0, "kind": "sale"}
        for line, sku in enumerate(PRODUCTS, start=1)
    ]
