"""The formulas of lead scores: shares of 0 to 1, weighted and put on a scale of 0 to 100.

    value = 100 * sum(weight * component) / sum(weight of the components that are known)

Reference formula of the requirements (API-18): engagement is engagement_score / 100; demographic is
0.6 seniority + 0.25 business e-mail + 0.15 company known; behaviour is min(visits / 20, 1). A component
nothing is known of has its weight spread over the others and lowers the confidence. The tables of
seniority and of private mail providers, and the grades, are house rules.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field

from dirigent.domain.shape import Shape

HOT_FROM = 75.0
WARM_FROM = 50.0
QUALIFIED_FROM = 60.0

VISITS_FULL = 20
SENIORITY_SHARE, EMAIL_SHARE, COMPANY_SHARE = 0.6, 0.25, 0.15
UNKNOWN_SENIORITY = 0.4
DETAIL_CONFIDENCE = 0.1

# Rank words in a role, the first that occurs decides: level, then value.
_SENIORITY: tuple[tuple[tuple[str, ...], str, float], ...] = (
    (("ceo", "cto", "cfo", "coo", "cio", "cmo", "chief", "founder", "owner", "president"), "executive", 1.0),
    (("vp", "svp", "evp", "director", "partner"), "director", 0.85),
    (("head", "manager", "lead", "principal"), "manager", 0.7),
    (("buyer", "purchaser", "purchasing", "procurement"), "buyer", 0.7),
    (("assistant", "intern", "trainee", "student"), "junior", 0.2),
)
_DEPUTIES = frozenset({"vice"})
_PRIVATE_PROVIDERS = {
    *("aol.com", "gmail.com", "gmx.de", "gmx.net", "googlemail.com", "hotmail.com", "icloud.com", "live.com"),
    *(
        "mail.ru",
        "msn.com",
        "outlook.com",
        "proton.me",
        "protonmail.com",
        "web.de",
        "yahoo.co.uk",
        "yahoo.com",
    ),
}

Grade = Literal["hot", "warm", "cold"]


class Component(Shape):
    """One part of a score: its value 0 to 1, None where nothing is known, and its normalised weight."""

    value: float | None
    weight: float


class Score(Shape):
    """A score of 0 to 100 with what it is made of; `confidence` is 0 to 1."""

    value: Annotated[float, Field(ge=0, le=100)]
    grade: Grade
    qualified: bool
    components: dict[str, Component]
    confidence: Annotated[float, Field(ge=0, le=1)]
    reasons: list[str]
    warnings: list[str] = Field(default_factory=list)


def graded(
    components: Mapping[str, Component], confidence: float, reasons: list[str], warnings: list[str]
) -> Score:
    """Join components into a score; with nothing known it is 0 at confidence 0."""
    known = [part for part in components.values() if part.value is not None]
    weight = sum(part.weight for part in known)
    total = sum(part.weight * part.value for part in known if part.value is not None)
    value = round(100 * total / weight, 1) if weight else 0.0
    return Score(
        value=value,
        grade="hot" if value >= HOT_FROM else "warm" if value >= WARM_FROM else "cold",
        qualified=value >= QUALIFIED_FROM,
        components=dict(components),
        confidence=round(max(0.0, min(1.0, confidence)), 2) if weight else 0.0,
        reasons=reasons,
        warnings=warnings,
    )


def seniority(role: str | None) -> tuple[str, float]:
    """The level that a role's words name and its value 0 to 1; an unknown role is worth 0.4."""
    words = (role or "").lower().replace("/", " ").replace("-", " ").replace(",", " ").split()
    if _DEPUTIES.intersection(words):
        return "director", 0.85
    for marks, level, value in _SENIORITY:
        if any(word.strip(".()") in marks for word in words):
            return level, value
    return "unknown", UNKNOWN_SENIORITY


def is_business_address(email: str | None) -> bool:
    """Whether an address has a domain that is no provider of private mailboxes."""
    local, _, domain = (email or "").lower().strip().rpartition("@")
    return bool(local) and "." in domain and domain not in _PRIVATE_PROVIDERS
