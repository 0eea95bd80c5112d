"""Quality control: what is wrong with a written message, found by rules that explain themselves."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from email.message import EmailMessage
from typing import Annotated, Any

from pydantic import Field

from dirigent.agents.language.readability import automated_readability_index, sentences_of, words_of
from dirigent.agents.revenue.dossier import MONTHS, Dossier, Evidence
from dirigent.agents.revenue.letter import prose_of
from dirigent.agents.revenue.message_file import recipients_of
from dirigent.domain.agent import Effect, Risk
from dirigent.domain.errors import NotFound
from dirigent.domain.shape import Shape
from dirigent.ports import BoundRecords, Context
from dirigent.security.addresses import matching_form
from dirigent.security.admission import action, agent
from dirigent.security.letters import body_of, content_of, read_message

QUALITY_MIN = 75
WORDS_MIN, WORDS_MAX = 25, 180
SUBJECT_LENGTH_MAX = 78
READABILITY_GRADE_MAX = 12.0
LINKS_MAX = 2

_HOLE = re.compile(
    r"\{[{%#]|[}%#]\}|\[[A-Za-z_ ]{2,30}\]|<[A-Za-z_ ]{2,30}>|\b(None|TODO|undefined|NaN)\b|[\ue000-\uf8ff]"
)
_GREETING = re.compile(r"^Dear (?P<name>[^,\n]*),", re.MULTILINE)
_LINK = re.compile(r"\b(?:https?|ftp|mailto|data|javascript):[^\s<>\"]*|\bwww\.[^\s<>\"]+", re.IGNORECASE)
_FACT = re.compile(rf"\d[\d.,]*\d|\d|\b(?:{'|'.join(MONTHS)})\b")
_FALSE_THREAD = re.compile(r"^\s*(re|fwd?|aw|wg)\s*:", re.IGNORECASE)


class Defect(Shape):
    """One fault: its kind, what it is, what it costs of 100 points, whether it alone stops the message."""

    kind: str
    text: str
    penalty: int
    blocking: bool


class Review(Shape):
    """The grade of a message. It passes with 75 points or more and no blocking defect."""

    message_id: str
    quality_score: Annotated[int, Field(ge=0, le=100)]
    passed: bool
    defects: list[Defect]


@dataclass(frozen=True, kw_only=True)
class _Case:
    """A message under review with what it is measured by."""

    message: EmailMessage
    subject: str
    body: str
    prose: str
    contact: dict[str, Any]
    evidence: tuple[Evidence, ...]


@agent("quality_control", domain="revenue", aliases=("QualityControlAgent",))
class QualityControlAgent:
    """Rejects poor messages before a person has to read them."""

    @action(risk=Risk.R0, effect=Effect.READ)
    async def review(self, message_id: str, dossier: Dossier | None = None, *, ctx: Context) -> Review:
        """Grade a stored message; claims are checked against the dossier, else against its own evidence.

        Raises `NotFound` for an unknown message.
        """
        case = _case(ctx.records, message_id, dossier)
        defects = [defect for check in CHECKS for defect in check(case)]
        score = max(0, 100 - sum(defect.penalty for defect in defects))
        passed = score >= QUALITY_MIN and not any(defect.blocking for defect in defects)
        return Review(message_id=message_id, quality_score=score, passed=passed, defects=defects)


def _case(records: BoundRecords, message_id: str, dossier: Dossier | None) -> _Case:
    rows = records.fetch("messages", where={"message_id": message_id}, limit=1)
    if not rows:
        raise NotFound(f"There is no message {message_id!r}.", code="message_not_found")
    contacts = records.fetch("contacts", where={"contact_id": rows[0]["lead_id"]}, limit=1)
    own = (rows[0]["evidence"] or {}).get("evidence", [])
    facts = dossier.facts if dossier else [Evidence.model_validate(fact) for fact in own]
    message = read_message(content_of(rows[0]))
    body = body_of(message)
    return _Case(
        message=message,
        subject=str(message.get("Subject", "")),
        body=body,
        prose=prose_of(body),
        contact=contacts[0] if contacts else {},
        evidence=tuple(facts),
    )


def _holes(case: _Case) -> Iterator[Defect]:
    found = _HOLE.search(_LINK.sub("", f"{case.subject}\n{case.body}"))
    if found:
        yield _stop("unfilled_slot", f"{found[0]!r} was left where words belong.", 60)


def _names(case: _Case) -> Iterator[Defect]:
    greeting = _GREETING.search(case.prose)
    name = unicodedata.normalize("NFC", case.contact.get("name") or "").strip()
    if greeting and greeting["name"] != name:
        yield _stop("wrong_name", "The greeting names somebody else than the contact.", 60)


def _recipient(case: _Case) -> Iterator[Defect]:
    known = matching_form(case.contact.get("email") or "")
    if [matching_form(address) for address in recipients_of(case.message)] != [known]:
        yield _stop("wrong_recipient", "The message does not go to the contact alone.", 60)


def _repetitions(case: _Case) -> Iterator[Defect]:
    counted = Counter(sentence.lower() for sentence in sentences_of(case.prose))
    for sentence, times in counted.items():
        if times > 1:
            yield _minor("repeated_sentence", f"{times} times: {sentence[:60]!r}.", 15)


def _length(case: _Case) -> Iterator[Defect]:
    words = len(words_of(case.prose))
    if not WORDS_MIN <= words <= WORDS_MAX:
        yield _minor("length", f"{words} words; {WORDS_MIN} to {WORDS_MAX} are right.", 20)


def _subject(case: _Case) -> Iterator[Defect]:
    if not case.subject.strip():
        yield _stop("subject", "There is no subject.", 40)
    if len(case.subject) > SUBJECT_LENGTH_MAX:
        yield _minor("subject", f"{len(case.subject)} characters; {SUBJECT_LENGTH_MAX} are shown.", 10)
    if _FALSE_THREAD.match(case.subject):
        yield _stop("subject", "It pretends to answer a message.", 40)


def _reading(case: _Case) -> Iterator[Defect]:
    grade = automated_readability_index(case.prose)
    if grade > READABILITY_GRADE_MAX:
        yield _minor("readability", f"Grade {grade:.1f}; {READABILITY_GRADE_MAX:.0f} is the limit.", 10)


def _links(case: _Case) -> Iterator[Defect]:
    header = str(case.message.get("List-Unsubscribe", "")).strip("<> ")
    links = _LINK.findall(case.body)
    if not header.startswith("https://") or header not in case.body:
        yield _stop(
            "links", "The link that stops messages is missing, unsafe or not the one of the header.", 60
        )
    if any(not link.lower().startswith("https://") for link in links):
        yield _stop("links", "A link is not https.", 40)
    if len(links) > LINKS_MAX or any(link in case.prose for link in links):
        yield _minor("links", "There are links beside the one that stops messages.", 30)


def _claims(case: _Case) -> Iterator[Defect]:
    """Numbers and months of the letter that no evidence holds."""
    known = {fact for item in case.evidence for fact in _FACT.findall(f"{item.text} {item.value}")}
    stated = _FACT.findall(_GREETING.sub("", f"{case.subject}\n{case.prose}"))
    for fact in dict.fromkeys(stated):
        if fact not in known:
            yield _stop("claim_without_evidence", f"{fact!r} is in no evidence.", 40)


CHECKS = (_holes, _names, _recipient, _repetitions, _length, _subject, _reading, _links, _claims)


def _stop(kind: str, text: str, penalty: int) -> Defect:
    return Defect(kind=kind, text=text, penalty=penalty, blocking=True)


def _minor(kind: str, text: str, penalty: int) -> Defect:
    return Defect(kind=kind, text=text, penalty=penalty, blocking=False)
