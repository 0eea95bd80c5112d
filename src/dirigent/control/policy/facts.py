"""What rules may read at a check, point by point, worked out only when a rule asks for it.

A check of a plan reads `plan`, of a result `result`, of a message `message`, of an action `action`; an
action that carries a message outside is also checked as a message. `org` and `tenant` are there for all.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

from dirigent.control.policy.detection import (
    TEXT_LENGTH_MAX,
    Detections,
    Safety,
    all_text,
    detect,
    visible_text,
)
from dirigent.control.policy.message_facts import MessageFacts, message_facts
from dirigent.control.policy.moments import moment
from dirigent.domain.errors import InvalidInput
from dirigent.domain.policy import Subject
from dirigent.security.text import undisguised

POINTS = ("action", "plan", "result", "message")
SEND_MESSAGE = "send_message"

_ACTION: dict[str, Any] = {
    "type": "",
    "name": "",
    "agent": "",
    "action": "",
    "risk": "R4",
    "effect": "at_most_once",
    "outward": True,
    "channel": "",
    "subject": "",
    "body": "",
    "recipient": "",
    "domain": "",
    "user_id": "",
    "autonomy": "L1",
    "proposed": False,
    "carries_message": False,
    "inputs": {},
}
_PLAN: dict[str, Any] = {
    "plan_id": "",
    "goal_type": "",
    "risk": "R4",
    "autonomy": "L1",
    "tasks": [],
    "task_count": 0,
    "max_cost": 0.0,
    "budget": None,
    "limit": None,
    "tenants": [],
    "reaches_people": False,
    "checks_messages": False,
}
_RESULT: dict[str, Any] = {"text": "", "agent": "", "action": "", "length": 0}
_ORG: dict[str, Any] = {"id": "", "vertical": ""}

FACTS: dict[str, frozenset[str]] = {
    "action": frozenset(_ACTION),
    "plan": frozenset(_PLAN),
    "result": frozenset(_RESULT),
    "message": frozenset(MessageFacts.__struct_fields__),
    "org": frozenset(_ORG),
}
"""The names a rule may read, by what stands before the dot."""

# Text of a message that is about the message; everything else in it is read as content.
_ENVELOPE = frozenset(
    {"to", "cc", "bcc", "from_name", "from_email", "reply_to", "postal_address", "unsubscribe_url", "html"}
    | {"channel", "purpose", "in_reply_to", "message_id", "id", "lead_id", "sha256", "language"}
)


class Scene:
    """One subject with its facts. Asks a detector or derives a fact at most once."""

    def __init__(self, subject: Subject, *, now_ms: int, vertical: str, safety: Safety) -> None:
        if subject.point not in POINTS:
            raise InvalidInput(
                f"There is no check at {subject.point!r}.", fix=f"Use one of {', '.join(POINTS)}."
            )
        self.subject = subject
        self._raw = subject.facts
        self._now_ms = now_ms
        self._safety = safety
        self._detections: dict[str, Detections] = {}
        stated = _text(_mapping(self._raw.get("org")).get("vertical"))
        self.verticals = frozenset(name for name in (vertical, stated) if name)
        self._org = {"id": subject.tenant, "vertical": vertical or stated}

    @property
    def examined(self) -> bool:
        """Whether any text has been looked into."""
        return bool(self._detections)

    @cached_property
    def points(self) -> frozenset[str]:
        """The points whose rules apply."""
        both = self.subject.point == "action" and self.action["carries_message"]
        return frozenset({self.subject.point, "message"} if both else {self.subject.point})

    def facts(self, root: str) -> Any:
        """What a rule reads under a name: `message`, `org`, `tenant` ..."""
        if root == "tenant":
            return self.subject.tenant
        if root == "org":
            return self._org
        if root not in self.points:
            raise InvalidInput(f"A check of {self.subject.point!r} has no {root!r}.")
        return getattr(self, root)

    def detections(self, point: str) -> Detections:
        """What the detectors find in the text that is looked at here."""
        if point not in self._detections:
            text = self._text_of(point)
            if len(text) > TEXT_LENGTH_MAX:
                raise InvalidInput(f"The text has {len(text)} characters.", fix=f"At most {TEXT_LENGTH_MAX}.")
            self._detections[point] = detect(text, self._safety)
        return self._detections[point]

    @cached_property
    def action(self) -> dict[str, Any]:
        """The action's facts; an action that does not say otherwise is outward and of the highest risk."""
        inputs = _mapping(self._raw.get("inputs"))
        message = self._message
        known = {name: self._raw[name] for name in _ACTION if self._raw.get(name) is not None}
        own = {**_ACTION, **known, "inputs": inputs}
        outward = own["outward"] is not False
        return {
            **own,
            "name": own["type"],
            "outward": outward,
            "carries_message": outward and message is not None,
            "user_id": _text(own["user_id"]) or _text(inputs.get("user_id")),
            **(_addressing(own, message, self._lead) if message is not None else {}),
        }

    @cached_property
    def message(self) -> dict[str, Any]:
        """The message's facts; see `MessageFacts`."""
        return message_facts(
            self._message or {},
            self._lead,
            _mapping(self._raw.get("org")),
            found=self.detections("message"),
            now=self._now,
        )

    @cached_property
    def plan(self) -> dict[str, Any]:
        """The plan's facts; a plan that does not state its risk has the highest."""
        known = {name: self._raw[name] for name in _PLAN if self._raw.get(name) is not None}
        own = {**_PLAN, **known}
        tasks = [_mapping(task) for task in own["tasks"]]
        return {
            **own,
            "task_count": len(tasks),
            "reaches_people": any(_text(task.get("risk")) >= "R3" for task in tasks),
            "checks_messages": any(task.get("agent") == "compliance" for task in tasks),
        }

    @cached_property
    def result(self) -> dict[str, Any]:
        """The result's facts; `text` is every text in it, read without disguise."""
        text = all_text(self._raw)
        named = {name: _text(self._raw.get(name)) for name in ("agent", "action")}
        return {**_RESULT, **named, "text": undisguised(text), "length": len(text)}

    @property
    def _now(self) -> datetime:
        stated = moment(self._raw.get("now")) if self.subject.point == "message" else None
        return stated or datetime.fromtimestamp(self._now_ms / 1000, UTC)

    @cached_property
    def _message(self) -> Mapping[str, Any] | None:
        for value in (self._raw.get("message"), _mapping(self._raw.get("inputs")).get("message")):
            if isinstance(value, Mapping):
                return value
        if self.subject.point == "action" and not _text(self._raw.get("body")):
            return None
        return {name: self._raw[name] for name in ("channel", "subject", "body") if name in self._raw}

    @cached_property
    def _lead(self) -> Mapping[str, Any]:
        places = (self._raw, _mapping(self._raw.get("inputs")), self._message or {})
        return next((place["lead"] for place in places if isinstance(place.get("lead"), Mapping)), {})

    def _text_of(self, point: str) -> str:
        if point == "message":
            message = self._message or {}
            own = {name: value for name, value in message.items() if name not in _ENVELOPE}
            return f"{all_text(own)}\n{visible_text(_text(message.get('html')))}"
        if point == "action":
            return all_text({"inputs": self._raw.get("inputs"), "body": self._raw.get("body")})
        return all_text(self._raw)


def _addressing(
    action: Mapping[str, Any], message: Mapping[str, Any], lead: Mapping[str, Any]
) -> dict[str, Any]:
    to = _text(message.get("to")) or _text(lead.get("email")) or _text(lead.get("phone"))
    return {
        "channel": _text(action["channel"]) or _text(message.get("channel")) or "email",
        "subject": undisguised(_text(message.get("subject"))),
        "body": undisguised(_text(message.get("body")) or _text(action["body"])),
        "recipient": to.lower(),
        "domain": to.lower().rpartition("@")[2].rstrip(">"),
    }


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _text(value: object) -> str:
    return value.strip() if isinstance(value, str) else ""
