"""What rules know of consent, place, hour, recipient and links, at the edges."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pytest

from dirigent.control.policy.links import links_in
from dirigent.control.policy.message_facts import is_postal_address
from dirigent.control.policy.moments import moment, months_later, within_months
from dirigent.control.policy.places import country_code
from dirigent.control.policy.quiet_hours import calling_hours
from dirigent.control.policy.recipients import (
    addresses_in,
    breaks_a_header,
    cannot_be_answered,
    recipients_of,
)
from dirigent.control.policy.standing import Standing, standing_of

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)


def standing(channel: str = "email", **lead: Any) -> Standing:
    return standing_of(lead, channel, NOW)


@pytest.mark.parametrize(
    ("lead", "basis"),
    [
        ({}, "none"),
        ({"consent": None}, "none"),
        ({"consent": "none"}, "none"),
        ({"consent": True}, "consent"),
        ({"consent": "express"}, "consent"),
        ({"consent": "Double opt-in"}, "consent"),
        ({"consent": "soft_opt_in"}, "soft_opt_in"),
        ({"consent": {"type": "express", "obtained_at": "2026-01-01"}}, "consent"),
        ({"consent": {"type": "express", "obtained_at": "2027-01-01"}}, "none"),
        ({"consent": {"type": "express", "obtained_at": "someday"}}, "none"),
        ({"consent": {"type": "express", "expires_at": "2026-11-20T12:00:00Z"}}, "none"),
        ({"consent": {"type": "express", "expires_at": "2026-11-20T12:00:01Z"}}, "consent"),
        ({"consent": {"type": "express", "channel": "sms"}}, "none"),
        ({"consent": {"type": "express", "channels": ["sms", "email"]}}, "consent"),
        ({"consent": {"type": "express", "purpose": "delivery updates"}}, "none"),
        ({"consent": [{"type": "express", "channel": "sms"}, {"type": "soft_opt_in"}]}, "soft_opt_in"),
        ({"last_purchase_at": "2024-11-20"}, "existing_customer"),
        ({"last_purchase_at": "2024-11-19"}, "none"),
        ({"last_purchase_at": "2026-11-21"}, "none"),
        ({"legal_basis": "legitimate_interest"}, "legitimate_interest"),
        ({"legal_basis": "because I say so"}, "none"),
    ],
)
def test_the_basis_is_the_best_that_can_be_read(lead: dict[str, Any], basis: str) -> None:
    """Consent counts for its channel and purpose from when it is given until it ends; a sale two years."""
    assert standing(**lead).basis == basis


@pytest.mark.parametrize(
    ("lead", "opted_out"),
    [
        ({"opted_out": False}, False),
        ({"opted_out": True}, True),
        ({"opted_out": "yes"}, True),
        ({"opted_out_at": "2026-02-01"}, True),
        ({"opted_out_at": "garbled"}, True),
        ({"consent": "withdrawn"}, True),
        ({"consent": "perhaps"}, True),
        ({"consent": {"type": "express", "obtained_at": "2026-01-01", "withdrawn_at": "2026-02-01"}}, True),
        ({"consent": {"type": "express", "obtained_at": "2025-01-01"}, "opted_out_at": "2026-02-01"}, True),
        ({"consent": {"type": "express", "obtained_at": "2026-03-01"}, "opted_out_at": "2026-02-01"}, False),
        ({"consent": "express", "opted_out_at": "2026-02-01"}, True),
        ({"consent": {"type": "express", "obtained_at": "2026-03-01"}, "opted_out": True}, True),
    ],
)
def test_an_objection_beats_every_older_consent(lead: dict[str, Any], opted_out: bool) -> None:
    """Only a newer consent with a date restores; what cannot be read counts as an objection."""
    found = standing(**lead)
    assert found.opted_out is opted_out
    assert not (opted_out and (found.express or found.implied or found.basis != "none"))


def test_an_implied_consent_ends_after_two_years_or_six_months() -> None:
    """A purchase counts for twenty-four months, an inquiry for six, to the day."""
    assert standing(last_purchase_at="2024-11-20").implied
    assert standing(last_purchase_at="2024-11-19").lapsed
    assert standing(last_inquiry_at="2026-05-20").implied
    assert standing(last_inquiry_at="2026-05-19").lapsed
    assert not standing().lapsed


def test_months_end_where_the_month_does() -> None:
    """The last of a month has a counterpart in a shorter one."""
    assert months_later(date(2024, 2, 29), 24).isoformat() == "2026-02-28"
    assert months_later(date(2026, 8, 31), 6).isoformat() == "2027-02-28"
    assert not within_months(None, NOW, 6)


@pytest.mark.parametrize("value", [None, True, "soon", [], 10**30, "2026-13-01"])
def test_what_is_no_moment_is_none(value: object) -> None:
    """Anything but a date or a time stamp is none."""
    assert moment(value) is None


def test_moments_have_a_zone() -> None:
    """A date, a time without zone and milliseconds are read as UTC."""
    assert moment("2026-11-20") == datetime(2026, 11, 20, tzinfo=UTC)
    assert moment(1_795_176_000_000) == moment(1_795_176_000) == NOW


@pytest.mark.parametrize(
    ("now", "zone", "country", "state", "hours"),
    [
        ("2026-11-20T07:59:59-05:00", "America/New_York", "US", "", "closed"),
        ("2026-11-20T08:00:00-05:00", "America/New_York", "US", "", "open"),
        ("2026-11-20T20:59:59-05:00", "America/New_York", "US", "", "open"),
        ("2026-11-20T21:00:00-05:00", "America/New_York", "US", "", "closed"),
        ("2026-11-20T20:30:00-05:00", "America/New_York", "US", "FL", "closed"),
        ("2026-11-22T11:30:00-06:00", "America/Chicago", "US", "TX", "closed"),
        ("2026-11-22T12:00:00-06:00", "America/Chicago", "US", "TX", "open"),
        ("2026-11-20T12:00:00+00:00", "", "US", "", "closed"),
        ("2026-11-20T19:00:00+00:00", "", "US", "", "open"),
        ("2026-11-01T01:30:00-04:00", "America/New_York", "US", "", "closed"),
        ("2027-03-14T12:00:00+00:00", "America/New_York", "US", "", "open"),
        ("2026-11-20T12:00:00+00:00", "", "DE", "", "open"),
        ("2026-11-20T12:00:00+00:00", "", "BR", "", "unknown"),
        ("2026-11-20T12:00:00+00:00", "Mars/Olympus", "DE", "", "unknown"),
        ("2026-11-20T12:00:00+00:00", "../etc/passwd", "DE", "", "unknown"),
    ],
)
def test_hours_are_those_of_the_recipient(now: str, zone: str, country: str, state: str, hours: str) -> None:
    """The local clock decides, in every zone the person may be in; states may be narrower."""
    assert calling_hours(datetime.fromisoformat(now), zone, country, state) == hours


@pytest.mark.parametrize(
    ("to", "count"),
    [
        ("a@x.com", 1),
        ("a@x.com, b@y.com", 2),
        ("a@x.com;b@y.com", 2),
        ("Team: a@x.com, b@y.com;", 2),
        (["a@x.com", "B <b@y.com>"], 2),
        ('"a@x.com" <b@y.com>', 2),
        ("a@x.com\nb@y.com", 2),
        ("nobody", 0),
        (None, 0),
    ],
)
def test_recipients_are_counted_whatever_the_form(to: object, count: int) -> None:
    """Lists, groups, display names and line breaks hide no second recipient."""
    assert recipients_of({"to": to}, {}).count == count


def test_copies_count_as_recipients() -> None:
    """Cc and Bcc are recipients, and another address than the record's is seen in them."""
    found = recipients_of({"to": "a@x.com", "bcc": "eve@y.com"}, {"email": "A@x.com"})
    assert (found.count, found.another) == (2, True)
    assert addresses_in({"not": "text"}) == []


def test_replies_must_reach_somebody() -> None:
    """An address that takes no replies is no reply address, unless another is given."""
    assert cannot_be_answered({"from_email": "noreply@a.example"})
    assert cannot_be_answered({"from_name": "Shop <do-not-reply@a.example>"})
    assert not cannot_be_answered({"from_email": "noreply@a.example", "reply_to": "sales@a.example"})
    assert not cannot_be_answered({})


@pytest.mark.parametrize("text", ["a\r\nBcc: b@c.d", "a\nb", "a\u2028b", "a\x00b"])
def test_a_line_break_in_a_header_is_seen(text: str) -> None:
    """No header may hold anything that a mail program could take for its end."""
    assert breaks_a_header({"subject": text})


@pytest.mark.parametrize(
    ("link", "disguised"),
    [
        ("https://example.com/a", False),
        ("https://user@example.com/", True),
        ("https://203.0.113.7/", True),
        ("https://[2001:db8::1/", True),
        ("https://3405803783/", True),
        ("https://xn--pypal-4ve.com/", True),
        ("https://p\u0430ypal.com/", True),
    ],
)
def test_links_that_hide_their_host_are_seen(link: str, disguised: bool) -> None:
    """User information, bare addresses and look-alike hosts are disguise."""
    assert links_in(link, "").disguised is disguised


@pytest.mark.parametrize(
    ("text", "postal"),
    [
        ("1 High Street, London", True),
        ("PO Box 7, Bath", True),
        ("The Grange\nBallyduff\nCo. Waterford", True),
        ({"street": "1 High Street", "city": "London"}, True),
        ("https://example.com/1", False),
        ("office1@example.com", False),
        ("London", False),
        ("12345678", False),
        ("", False),
        (None, False),
    ],
)
def test_a_postal_address_can_be_delivered_to(text: object, postal: bool) -> None:
    """A web site, a mail address or a town alone is no postal address."""
    assert is_postal_address(text) is postal


@pytest.mark.parametrize(
    ("text", "code"),
    [("de", "DE"), ("Germany", "DE"), ("UK", "GB"), ("Narnia", ""), ("D", ""), (None, ""), (49, "")],
)
def test_countries_are_codes_or_well_known_names(text: object, code: str) -> None:
    """What is not certain is unknown."""
    assert country_code(text) == code
