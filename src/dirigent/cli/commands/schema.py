"""`dirigent schema`."""

from __future__ import annotations

from dirigent.cli.options import DEFAULT, Common


def schema_command(*, common: Common = DEFAULT) -> None:
    """The format of workflow files as a JSON Schema."""
    from dirigent.intake.schema import workflow_schema

    common.screen().document(workflow_schema())
