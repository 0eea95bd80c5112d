"""`dirigent validate`, also called `dirigent lint`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from dirigent.cli.failures import DONE, FAILED, FIXES, complain, show_findings, show_problems
from dirigent.cli.options import DEFAULT, Common
from dirigent.cli.screen import Screen


def validate_command(
    files: Annotated[list[Path], Parameter(negative=())],
    /,
    *,
    strict: Annotated[bool, Parameter(negative=(), help="Let warnings fail as well.")] = False,
    common: Common = DEFAULT,
) -> int:
    """Validate.

    Parameters
    ----------
    files
        Workflow files, YAML or JSON.
    """
    from dirigent.bootstrap import Dirigent

    screen = common.screen()
    dirigent = Dirigent(settings=common.settings())
    checked = [_checked(file, dirigent, screen) for file in files]
    valid = all(found["valid"] for found in checked)
    if screen.json:
        screen.document({"valid": valid, "files": checked})
    return DONE if valid and not (strict and any(found.get("warnings") for found in checked)) else FAILED


def _checked(file: Path, dirigent: Any, screen: Screen) -> dict[str, Any]:
    from dirigent.domain.errors import DirigentError, InvalidDefinition

    try:
        inspected = dirigent.inspect(file)
    except InvalidDefinition as error:
        if not screen.json:
            show_problems(screen, error)
        return {"file": str(file), "valid": False, "problems": list(error.problems)}
    except DirigentError as error:
        if not screen.json:
            complain(screen, error.message, error.fix or FIXES.get(error.code, ""))
        problem = {"code": error.code, "message": error.message, "fix": error.fix}
        return {"file": str(file), "valid": False, "problems": [problem]}
    definition, warnings = inspected.definition, inspected.warnings
    if not screen.json:
        show_findings(screen, warnings)
    version, number = definition.content_hash, len(definition.steps)
    steps = f"{number} step" + ("" if number == 1 else "s")
    count = f", {len(warnings)} warning{'' if len(warnings) == 1 else 's'}" if warnings else ""
    screen.say(f"{file}: ok. {definition.name}, {steps}, version {version[:12]}{count}")
    return {
        "file": str(file),
        "valid": True,
        "name": definition.name,
        "version": version,
        "warnings": list(warnings),
    }
