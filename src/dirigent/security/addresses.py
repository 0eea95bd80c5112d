"""E-mail addresses: exactly one per recipient, and one form to compare them in."""

from __future__ import annotations

import re

from dirigent.domain.errors import InvalidInput

# The mailbox of the HTML standard (WHATWG, "valid e-mail address"), which knows no comments, quotes,
# groups or lists, without `%` and `!`: both once meant routing, and hide encoded line breaks today.
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_MAILBOX = re.compile(rf"[A-Za-z0-9.#$&'*+/=?^_`{{|}}~-]{{1,64}}@{_LABEL}(?:\.{_LABEL})+")
ADDRESS_LENGTH_MAX = 254

_DOTLESS_PROVIDERS = frozenset({"gmail.com", "googlemail.com"})


def one_address(text: object) -> str:
    """The address that a text consists of; raises `InvalidInput` for none, for two, and for tricks."""
    address = text.strip(" ") if isinstance(text, str) else ""
    if len(address) <= ADDRESS_LENGTH_MAX and _MAILBOX.fullmatch(address):
        return address
    raise InvalidInput(
        "The recipient is not exactly one plain e-mail address.",
        fix="Give one address like name@example.com, without list, display name or routing.",
        field="email",
    )


def is_address(text: object) -> bool:
    """Whether a text is exactly one plain address."""
    try:
        one_address(text)
    except InvalidInput:
        return False
    return True


def matching_form(address: str) -> str:
    """The form in which addresses of one mailbox are equal, for suppression lists only.

    Lower case, without the plus tag, and without dots where the provider ignores them, so that an
    opt-out of one spelling holds for all of them. Addresses are never sent to in this form.
    """
    local, _, domain = address.strip().lower().rpartition("@")
    local = local.partition("+")[0] or local
    return f"{local.replace('.', '') if domain in _DOTLESS_PROVIDERS else local}@{domain}"
