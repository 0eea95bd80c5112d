"""Adding a restriction never loosens a verdict: random contexts, each compared with a stricter one."""

from __future__ import annotations

import copy
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from dirigent.control.policy.places import ALL_REGIMES, has_pack, regimes_of
from dirigent.domain.policy import STRICTNESS, Subject, Verdict
from tests.control.examples import TENANT, changed, facts, shipped_gate

EXAMPLES = 200
DATES = st.sampled_from(
    ["2020-01-01", "2024-11-19", "2024-11-21", "2026-01-05", "2026-11-01", "2027-01-01", "soon"]
)
COUNTRIES = st.sampled_from(
    ["DE", "FR", "IT", "GB", "CH", "US", "CA", "AU", "JP", "BR", "", "Germany", "Narnia"]
)
CONSENTS = st.one_of(
    st.none(),
    st.sampled_from(["express", "written", "soft_opt_in", "none"]),
    st.fixed_dictionaries(
        {"type": st.sampled_from(["express", "written", "soft_opt_in"])},
        optional={
            "obtained_at": DATES,
            "expires_at": DATES,
            "channel": st.sampled_from(["email", "sms"]),
            "source": st.just("form"),
        },
    ),
)
LEADS = st.fixed_dictionaries(
    {"email": st.just("ann@customer.example"), "country": COUNTRIES, "consent": CONSENTS},
    optional={
        "kind": st.sampled_from(["consumer", "corporate", "sole_trader"]),
        "legal_basis": st.sampled_from(["legitimate_interest", "contract"]),
        "interest_assessment": st.just("LIA-1"),
        "last_purchase_at": DATES,
        "last_inquiry_at": DATES,
        "opted_out": st.booleans(),
        "opted_out_at": DATES,
        "suppressed": st.booleans(),
        "timezone": st.sampled_from(["Europe/Berlin", "America/New_York", "Mars/Olympus"]),
    },
)
MESSAGES = st.fixed_dictionaries(
    {"channel": st.sampled_from(["email", "sms", "voice", "chat", "letter"])},
    optional={
        "purpose": st.sampled_from(["commercial", "transactional"]),
        "postal_address": st.sampled_from(["", "1 High Street, London"]),
        "unsubscribe_url": st.sampled_from(["", "https://wholesale.example/u/1"]),
        "body": st.sampled_from(["Hello", "act now!!", "20% off your next order"]),
        "tracks_opens": st.booleans(),
    },
)
CONTEXTS = st.tuples(MESSAGES, LEADS)


def strictness(context: tuple[dict[str, Any], dict[str, Any]]) -> int:
    message, lead = context
    own = facts("message", lead={"consent": None})
    own = changed(own, {"message": message, "lead": lead})
    decision = shipped_gate().decide(Subject(point="message", tenant=TENANT, facts=own))
    return STRICTNESS[decision.verdict]


def stricter(
    context: tuple[dict[str, Any], dict[str, Any]], **changes: Any
) -> tuple[dict[str, Any], dict[str, Any]]:
    message, lead = copy.deepcopy(context)
    return message, {**lead, **changes}


@settings(max_examples=EXAMPLES)
@given(CONTEXTS, DATES)
def test_an_objection_never_loosens(context: Any, when: str) -> None:
    """Opting out, with a date or without, and suppression only tighten."""
    before = strictness(context)
    assert strictness(stricter(context, opted_out=True)) >= before
    assert (
        strictness(stricter(context, opted_out_at=max(when, context[1].get("opted_out_at", when)))) >= before
    )
    assert strictness(stricter(context, suppressed=True)) == STRICTNESS[Verdict.DENY]


@settings(max_examples=EXAMPLES)
@given(CONTEXTS)
def test_taking_consent_away_never_loosens(context: Any) -> None:
    """Without the consent that was on record nothing is easier."""
    assert strictness(stricter(context, consent=None)) >= strictness(context)


@settings(max_examples=EXAMPLES)
@given(CONTEXTS, COUNTRIES)
def test_a_stricter_place_never_loosens(context: Any, country: str) -> None:
    """A place whose laws include another's is at least as strict, and an unknown one is the strictest."""
    there, here = stricter(context, country=country), context
    if _includes(country, here[1]["country"]):
        assert strictness(there) >= strictness(here)
    assert strictness(stricter(context, country=None)) >= strictness(here)


@settings(max_examples=EXAMPLES)
@given(CONTEXTS)
def test_leaving_out_what_a_message_must_carry_never_loosens(context: Any) -> None:
    """Without address and way out a message is judged no milder."""
    message, lead = copy.deepcopy(context)
    bare = {**message, "postal_address": "", "unsubscribe_url": "", "body": "Hello"}
    full = {
        **message,
        "postal_address": "1 High Street, London",
        "unsubscribe_url": "https://a.example/u",
        "body": "Hello",
    }
    assert strictness((bare, lead)) >= strictness((full, lead))


def _includes(wider: str, narrower: str) -> bool:
    return has_pack(wider) and has_pack(narrower) and set(regimes_of(wider)) >= set(regimes_of(narrower))


def test_an_unknown_country_has_every_law() -> None:
    """No country, every body of law; a country nobody wrote rules for, none."""
    assert regimes_of("") == ALL_REGIMES
    assert regimes_of("BR") == ()
    assert not has_pack("BR")
