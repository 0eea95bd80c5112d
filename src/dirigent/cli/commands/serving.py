"""`dirigent serve`."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from dirigent.cli.options import DEFAULT, Common


def serve_command(
    *,
    host: Annotated[
        str | None, Parameter(help="Where to listen; else DIRIGENT_HOST, else 127.0.0.1.")
    ] = None,
    port: Annotated[
        int | None, Parameter(help="On which port; else PORT, else 8080. 0 takes a free one.")
    ] = None,
    allow_delivery: Annotated[
        bool, Parameter(negative=(), help="Let approved messages leave; else they are held.")
    ] = False,
    work: Annotated[
        int, Parameter(help="How many jobs of the queue it works on at once; 0 leaves them alone.")
    ] = 0,
    common: Common = DEFAULT,
) -> int:
    """Serve until Ctrl-C."""
    from dirigent.cli.server import serve

    settings = common.settings(host=host, port=port, allow_delivery=True if allow_delivery else None)
    return serve(settings, common.screen(), jobs_at_once=work)
