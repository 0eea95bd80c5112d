"""Who of a customer's contacts may be written to at all, and if none, why not."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from dirigent.ports import BoundRecords
from dirigent.security.addresses import is_address, matching_form
from dirigent.security.outgoing import suppressed_forms

NO_CONTACT = "no_contact"
OPTED_OUT = "opted_out"
NO_ADDRESS = "no_address"
SUPPRESSED = "suppressed"

CONSENT_ORDER = ("express", "soft_opt_in", "none")


@dataclass(frozen=True, kw_only=True)
class Reach:
    """The contact to write to, or the reason why there is none. Exactly one of both is set."""

    contact: dict[str, Any] | None = None
    reason: str | None = None


class Reachability:
    """Contacts and suppressions of some customers, read once."""

    def __init__(self, records: BoundRecords, customer_ids: Iterable[str]) -> None:
        self._suppressed = suppressed_forms(records)
        self._contacts: dict[str, list[dict[str, Any]]] = defaultdict(list)
        wanted = {"customer_id": sorted(customer_ids)}
        for contact in sorted(records.fetch("contacts", where=wanted), key=_preference):
            self._contacts[str(contact["customer_id"])].append(contact)

    def reach(self, customer_id: str) -> Reach:
        """The customer's first usable contact, by strength of consent and then id.

        Where none is usable, the reason is what stands against the first.
        """
        contacts = self._contacts.get(customer_id, [])
        reasons = [obstacle(contact, self._suppressed) for contact in contacts]
        for contact, reason in zip(contacts, reasons, strict=True):
            if reason is None:
                return Reach(contact=contact)
        return Reach(reason=reasons[0] if reasons else NO_CONTACT)


def _preference(contact: dict[str, Any]) -> tuple[int, str]:
    consent = contact.get("consent")
    strength = CONSENT_ORDER.index(consent) if consent in CONSENT_ORDER else len(CONSENT_ORDER)
    return strength, contact["contact_id"]


def obstacle(contact: dict[str, Any], suppressed: frozenset[str]) -> str | None:
    """What forbids to write to a contact, or None. Consent by country is the compliance agent's."""
    if contact.get("opted_out"):
        return OPTED_OUT
    if not is_address(contact.get("email")):
        return NO_ADDRESS
    return SUPPRESSED if matching_form(contact["email"]) in suppressed else None
