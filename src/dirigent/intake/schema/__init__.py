"""The format of workflow files as a JSON Schema, for editors: made from what the loader itself reads by.

Which keys there are, their types and limits come from the written forms; which of them a step of a type takes
comes from the loader's tables; what they mean stands in `words.yaml`. A schema sees the form of a file. What
only the whole shows (steps that do not exist, circles, expressions, agents) is for `dirigent validate`.
"""

from __future__ import annotations

from dirigent.intake.schema.making import workflow_schema

__all__ = ["workflow_schema"]
