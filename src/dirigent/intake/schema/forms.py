"""The parts of the format, and the forms of keys that the loader reads on its own."""

from __future__ import annotations

from typing import Any

from dirigent.domain.trigger import Overlap
from dirigent.interpreter.approval_parts import EXPIRIES, WrittenDeciders
from dirigent.interpreter.building import FLOW_TYPES, STEP_ID
from dirigent.interpreter.durations import WRITTEN
from dirigent.interpreter.inputs import DIALECT
from dirigent.interpreter.lowering import EFFECTS, INSIDE, LEVELS, METHODS, OUTSIDE
from dirigent.interpreter.operators import OPERATORS
from dirigent.interpreter.parts import AGENT_NAME
from dirigent.interpreter.scheduling import CATCH_UP_MAX
from dirigent.interpreter.triggering import EVENT_TYPE, WEBHOOK
from dirigent.interpreter.written import (
    CASES_MAX,
    ENDS_AS,
    JOINS,
    ON_ERROR,
    STEPS_MAX,
    WAYS_OUT,
    Written,
    WrittenCase,
    WrittenCompensate,
    WrittenCondition,
    WrittenConnection,
    WrittenEventTrigger,
    WrittenFallback,
    WrittenRetry,
    WrittenSchedule,
    WrittenStep,
    WrittenTrigger,
    WrittenWebhook,
    WrittenWorkflow,
)

Schema = dict[str, Any]
Key = tuple[str, str]

PARTS: dict[str, type[Written]] = {
    "workflow": WrittenWorkflow,
    "trigger": WrittenTrigger,
    "step": WrittenStep,
    "retry": WrittenRetry,
    "condition": WrittenCondition,
    "connection": WrittenConnection,
    "compensate": WrittenCompensate,
    "case": WrittenCase,
    "fallback": WrittenFallback,
}
TRIGGERS: dict[str, type[Written]] = {
    "schedule": WrittenSchedule,
    "event": WrittenEventTrigger,
    "webhook": WrittenWebhook,
    "api": WrittenTrigger,
    "manual": WrittenTrigger,
}
NEEDED: dict[str, tuple[str, ...]] = {
    "workflow": ("name", "steps"),
    "step": ("id", "type"),
    "trigger": ("type",),
    "event": ("event_type",),
    "webhook": ("webhook",),
    "connection": ("from", "to"),
    "condition": ("expression",),
    "compensate": ("agent_type", "action"),
    "case": ("to",),
}

SHARED: dict[str, Schema] = {
    "span": {
        "description": "A whole number with one unit, or whole seconds; it may be nothing.",
        "anyOf": [
            {"type": "string", "pattern": f"^(?:{WRITTEN.pattern})$"},
            {"type": "integer", "minimum": 0},
        ],
        "examples": ["250ms", "30s", "5m", "1h", "2d", 90],
    },
    "duration": {
        "description": "A whole number with one unit, or whole seconds.",
        "allOf": [{"$ref": "#/$defs/span"}],
        "not": {"anyOf": [{"const": 0}, {"type": "string", "pattern": "^0+(?:ms|s|m|h|d)$"}]},
    },
    "agent": {"type": "string", "pattern": f"^{AGENT_NAME.pattern}$"},
}


def _words(*words: str | bool) -> Schema:
    return {"enum": list(words)}


def _or_hole(form: Schema) -> Schema:
    """The same, or an expression that gives it; an empty text counts as left out."""
    return {"anyOf": [form, {"type": "string", "pattern": r"^(?:\s*\$\{|$)"}]}


def _part(name: str) -> Schema:
    return {"$ref": f"#/$defs/{name}"}


def _parts(name: str, **limits: int) -> Schema:
    return {"type": "array", "items": _part(name), **limits}


_DECIDERS = WrittenDeciders.model_json_schema()["properties"]

# What the written forms leave open, because the loader reads it on its own: by part and key.
FORMS: dict[Key, Schema] = {
    ("workflow", "type"): _words(*FLOW_TYPES),
    ("workflow", "triggers"): _parts("trigger"),
    ("workflow", "steps"): _parts("step", minItems=1, maxItems=STEPS_MAX),
    ("workflow", "connections"): _parts("connection"),
    ("workflow", "timeout"): _part("duration"),
    ("workflow", "input"): {"type": "object", "$ref": DIALECT},
    ("trigger", "type"): _words(*TRIGGERS),
    ("trigger", "overlap"): _words(*(word.value for word in Overlap)),
    ("trigger", "event_type"): {"type": "string", "pattern": f"^(?:{EVENT_TYPE.pattern})$"},
    ("trigger", "webhook"): {"type": "string", "pattern": f"^{WEBHOOK.pattern}$"},
    ("trigger", "schedule"): {
        "type": "string",
        "pattern": r"^\s*\S+(?:\s+\S+){4}\s*$",
        "maxLength": 200,
        "examples": ["0 9 * * 1-5", "*/15 * * * *"],
    },
    ("trigger", "every"): _part("duration"),
    ("trigger", "jitter"): _part("duration"),
    ("trigger", "catch_up"): {
        "anyOf": [{"type": "boolean"}, {"type": "integer", "minimum": 1, "maximum": CATCH_UP_MAX}]
    },
    ("step", "id"): {"type": "string", "pattern": f"^{STEP_ID.pattern}$"},
    ("step", "agent_type"): _part("agent"),
    ("step", "agent"): _part("agent"),
    ("step", "action"): _part("agent"),
    ("step", "conditions"): {
        "type": "array",
        "items": {"anyOf": [{"type": "string"}, _part("condition")]},
        "minItems": 1,
        "examples": [["input.quality >= 75"]],
    },
    ("step", "timeout"): _part("duration"),
    ("step", "duration"): _part("duration"),
    ("step", "retry_policy"): _part("retry"),
    ("step", "compensate"): _part("compensate"),
    ("step", "on_error"): {
        "anyOf": [
            _words(*ON_ERROR),
            {
                "type": "object",
                "properties": {"fallback": {"type": "string", "minLength": 1}},
                "required": ["fallback"],
                "additionalProperties": False,
            },
        ]
    },
    ("step", "ends_as"): _words(*ENDS_AS),
    ("step", "fallback"): {"anyOf": [_words("continue"), _part("fallback")]},
    ("step", "output"): {"type": ["object", "string", "null"]},
    ("step", "join"): {
        "anyOf": [
            _words(*JOINS),
            {"type": "integer", "minimum": 1, "maximum": STEPS_MAX},
            {
                "type": "object",
                "properties": {"n": {"type": "integer", "minimum": 1, "maximum": STEPS_MAX}},
                "required": ["n"],
                "additionalProperties": False,
            },
        ]
    },
    **{("step", key): _or_hole({"type": "object"}) for key in ("headers", "query")},
    ("step", "subject"): {"type": "string"},
    ("step", "message"): {"type": "string", "minLength": 1},
    ("step", "url"): {"type": "string", "pattern": r"^(?:https?://|\$\{)"},
    ("step", "method"): _words(*METHODS, ""),
    ("step", "effect"): _words(*EFFECTS, ""),
    ("step", "level"): _words(*LEVELS, ""),
    ("step", "to"): _or_hole({"type": "array"}),
    ("step", "channels"): _or_hole({"type": "array", "items": _words(*INSIDE, *OUTSIDE)}),
    ("step", "data"): {},
    ("step", "body"): {},
    ("step", "cases"): _parts("case", minItems=1, maxItems=CASES_MAX),
    ("step", "steps"): _parts("step", minItems=1, maxItems=STEPS_MAX),
    ("step", "branches"): {
        "type": "array",
        "items": _parts("step", minItems=1),
        "minItems": 1,
        "maxItems": STEPS_MAX,
    },
    ("step", "connections"): _parts("connection"),
    ("step", "on_expiry"): _words(*EXPIRIES),
    **{("step", key): form for key, form in _DECIDERS.items() if key != "on_expiry"},
    ("retry", "initial"): _part("span"),
    ("retry", "max"): _part("span"),
    ("condition", "operator"): _words(*OPERATORS),
    ("condition", "value"): {},
    ("connection", "on"): _words(*WAYS_OUT, True, False, ""),
    **{
        (part, key): _part("agent")
        for part in ("compensate", "fallback")
        for key in ("agent_type", "agent", "action")
    },
    ("case", "value"): {},
    ("fallback", "value"): {},
    ("compensate", "timeout"): _part("duration"),
    ("compensate", "retry_policy"): _part("retry"),
}

_BY_VALUE = {"required": ["value"], "not": {"required": ["when"]}}
_BY_CONDITION = {"required": ["when"], "not": {"required": ["value"]}}

# What the type of a step adds to the form of its keys.
OF_KIND: dict[str, dict[str, Schema]] = {
    "validation": {
        "parameters": {
            "type": ["object", "null"],
            "description": "required_fields; code and message say what a failure means.",
            "properties": {"required_fields": {"type": "array", "items": {"type": "string"}}},
        }
    }
}

# What the type of a step, or a part, demands beyond its keys.
DEMANDS: dict[str, Schema] = {
    "switch": {
        "if": {"required": ["on"]},
        "then": {"properties": {"cases": {"items": _BY_VALUE}}},
        "else": {"properties": {"cases": {"items": _BY_CONDITION}}},
    },
    "parallel": {"not": {"required": ["connections", "branches"]}},
    "fallback": {
        "anyOf": [
            {"required": ["value"], "maxProperties": 1},
            {"required": ["agent_type", "action"]},
            {"required": ["agent", "action"]},
        ]
    },
    "step": {
        "if": {"properties": {"cancel_rest": {"const": True}}, "required": ["cancel_rest"]},
        "then": {"required": ["join"], "properties": {"join": {"not": {"enum": ["all", None]}}}},
    },
}
