"""The base of everything that agents of this folder take in and give out."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Shape(BaseModel):
    """A frozen value with named fields; an unknown field is an error, so that typing errors show."""

    model_config = ConfigDict(extra="forbid", frozen=True)
