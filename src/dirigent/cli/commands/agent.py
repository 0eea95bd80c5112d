"""`dirigent agent`: one agent as a server of its own, and keys for such servers."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import urlsplit

from cyclopts import App, Parameter

from dirigent.cli.options import DEFAULT, Common

EXAMPLES = (
    "agent serve notifier",
    "agent serve lead_scorer --port 8090 --data scorer",
    "agent serve greeter --from agents:Greeter --port 8091",
)

app = App(
    name="agent",
    help_epilogue="\n".join(["Examples:", *(f"  dirigent {line}" for line in EXAMPLES[:1])]),
    help_format="plaintext",
)


@app.command(
    name="serve",
    help_epilogue="\n".join(["Examples:", *(f"  dirigent {line}" for line in EXAMPLES)]),
    help_format="plaintext",
)
def serve_command(
    key: str,
    /,
    *,
    port: Annotated[
        int | None, Parameter(help="On which port; else the one that is documented. 0 takes a free one.")
    ] = None,
    host: Annotated[str, Parameter(help="Where to listen.")] = "127.0.0.1",
    from_: Annotated[
        list[str] | None,
        Parameter(name="--from", negative=(), help="An agent of your own, as package.module:Class."),
    ] = None,
    allow_delivery: Annotated[
        bool, Parameter(negative=(), help="Let leave what the caller lets leave; else it is refused.")
    ] = False,
    common: Common = DEFAULT,
) -> int:
    """Serve one agent until Ctrl-C, for engines that name its address in <AGENT>_AGENT_URL.

    Its data folder is its own: agents/<agent> in that of the engine, where --data does not name another.

    Parameters
    ----------
    key
        The agent, by its key or another name it has.
    """
    from dirigent.bootstrap.agent_loading import load_agents
    from dirigent.bootstrap.agent_server import AgentServer
    from dirigent.cli.agent_serving import serve_agent
    from dirigent.cli.log_file import log_to

    settings = common.settings(host=host, port=port, allow_delivery=True if allow_delivery else None)
    server = AgentServer(key, settings=settings, own=load_agents(from_ or (), "from"))
    found = server.agent.key
    server.settings = server.settings.model_copy(
        update={
            "port": _port(found, settings.agent_default(found)) if port is None else port,
            "data_folder": common.data or settings.data_folder / "agents" / found,
        }
    )
    log_to(server.settings.data_folder, settings.log_level)
    return serve_agent(server, common.screen())


@app.command(name="key", help_epilogue="Example:\n  dirigent agent key", help_format="plaintext")
def key_command(*, common: Common = DEFAULT) -> None:
    """Make a key for DIRIGENT_AGENT_KEY. Set it where agents are served and where they are called from."""
    from dirigent.security.agent_keys import new_key

    screen = common.screen()
    if screen.json:
        screen.document({"key": new_key()})
    else:
        screen.say(new_key())


def _port(key: str, address: str) -> int:
    from dirigent.domain.errors import InvalidInput

    found = urlsplit(address).port
    if found is None:
        raise InvalidInput(
            f"No port is documented for {key!r}.", fix="Choose one: --port 8090.", field="port"
        )
    return found
