"""Addresses: one plain mailbox, and one form to compare opt-outs in."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dirigent.domain.errors import InvalidInput
from dirigent.security.addresses import is_address, matching_form, one_address


@pytest.mark.parametrize(
    "text", ["a@x.com", "first.last+tag@sub.example.co.uk", "o'neil@x-y.com", " a@x.com "]
)
def test_plain_addresses_are_taken(text: str) -> None:
    """What people have on their cards is an address."""
    assert one_address(text) == text.strip()


@given(st.text(max_size=40))
def test_an_address_has_one_at_and_nothing_that_breaks_a_header(text: str) -> None:
    """Whatever is accepted has no separator, no blank and no line break inside."""
    if is_address(text):
        address = one_address(text)
        assert address.count("@") == 1
        assert not set(address) & set(' ,;<>:"()[]\\\r\n\t%!')
        assert address.isascii()


@pytest.mark.parametrize("text", [None, 5, "a@x", "a@@x.com", "a@-x.com", "a@x..com", f"{'a' * 65}@x.com"])
def test_everything_else_is_refused(text: object) -> None:
    """No guess is made at what was meant."""
    with pytest.raises(InvalidInput):
        one_address(text)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("Jane.Doe+x@gmail.com", "janedoe@GMAIL.com", True),
        ("jane+shop@x.com", "Jane@X.com", True),
        ("jane.doe@x.com", "janedoe@x.com", False),
        ("jane@x.com", "john@x.com", False),
    ],
)
def test_spellings_of_one_mailbox_match(one: str, other: str, same: bool) -> None:
    """Case and tag never matter; dots only where the provider ignores them."""
    assert (matching_form(one) == matching_form(other)) is same


@given(st.emails())
def test_the_matching_form_is_stable(address: str) -> None:
    """Bringing an address into the form twice changes nothing more."""
    assert matching_form(matching_form(address)) == matching_form(address)
