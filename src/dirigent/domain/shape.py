"""The bases of what agents take in and give out."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Shape(BaseModel):
    """A frozen value with named fields; an unknown field is an error, so that typing errors show."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Excerpt(BaseModel):
    """What is read of a larger value that others own; its other fields are passed over."""

    model_config = ConfigDict(extra="ignore", frozen=True)
