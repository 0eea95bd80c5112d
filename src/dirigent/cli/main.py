"""`dirigent`: which commands there are. Each is imported when it is run, so that help costs nothing."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from cyclopts import App, Group

from dirigent import __version__
from dirigent.cli.failures import DONE, INTERRUPTED, end_of
from dirigent.cli.screen import Screen, let_go_of_output

WORK = Group("Work", sort_key=1)
DECIDE = Group("Decide", sort_key=2)
LOOK = Group("Look", sort_key=3)
KEEP = Group("Keep in order", sort_key=4)

GOAL_EXAMPLE = "goal run examples/goals/revive_pipeline.json"

# Group, name, where, what, examples.
COMMANDS: tuple[tuple[Group, str, str, str, tuple[str, ...]], ...] = (
    (
        WORK,
        "import",
        "importing:import_command",
        "Take a folder of CSV files into the records, by the rules of its import.yaml.",
        ("import examples/wholesaler --org org_123",),
    ),
    (
        WORK,
        "run",
        "running:run_command",
        "Run a workflow file and wait until it has ended or waits for a person.",
        ("run examples/workflows/hello.yaml -i name=Ada", "run flow.yaml -i @input.json -o json"),
    ),
    (
        WORK,
        "resume",
        "running:resume_command",
        "Go on with what was interrupted, or with one that was paused.",
        ("resume", "resume are_exec_20250101_120000_00001"),
    ),
    (
        WORK,
        "validate",
        "validating:validate_command",
        "Check workflow files; every problem, and every warning, with file, line, column and fix.",
        ("validate examples/workflows/*.yaml",),
    ),
    (
        WORK,
        "lint",
        "validating:validate_command",
        "The same as validate.",
        ("lint examples/workflows/*.yaml --strict",),
    ),
    (
        WORK,
        "worker",
        "working:worker_command",
        "Work on the jobs of the queue until Ctrl-C; what is under way is finished first.",
        (
            "worker",
            "worker flow.yaml --concurrency 4",
            "worker --once",
            "worker --apart --flows flows:register",
        ),
    ),
    (
        DECIDE,
        "approve",
        "deciding:approve_command",
        "Let exactly what was shown go on.",
        ("approve apr_0123456789ab", "approve --all are_exec_20250101_120000_00001 --comment 'read them'"),
    ),
    (
        DECIDE,
        "reject",
        "deciding:reject_command",
        "Say no; the step ends as rejected.",
        ("reject apr_0123456789ab --comment 'wrong tone'",),
    ),
    (
        DECIDE,
        "edit",
        "deciding:edit_command",
        "Have an action asked for with other inputs; what was asked before is not done.",
        ("edit apr_0123456789ab -i amount=7 --comment 'less'",),
    ),
    (
        DECIDE,
        "cancel",
        "steering:cancel_command",
        "Stop an execution and everything it started.",
        ("cancel are_exec_20250101_120000_00001",),
    ),
    (
        DECIDE,
        "pause",
        "steering:pause_command",
        "Begin nothing new in an execution and all it started; what runs goes on to its end.",
        ("pause are_exec_20250101_120000_00001 --reason 'the customer called'",),
    ),
    (
        DECIDE,
        "signal",
        "steering:signal_command",
        "Tell an execution something that a step of it waits for.",
        ("signal exec_a1c7f6f4 order.paid -i sum=49 --id order-17",),
    ),
    (
        DECIDE,
        "outcomes",
        "outcomes:outcomes_command",
        "Effects of which nobody knows whether they happened: what was sent, when, under which key.",
        ("outcomes", "outcomes --state all -o json"),
    ),
    (
        DECIDE,
        "resolve",
        "outcomes:resolve_command",
        "Say what became of an effect whose outcome nobody knows, or have it read back.",
        (
            "resolve are_exec_20250101_120000_00001/release deliver[3] --happened",
            "resolve exec_a1c7f6f4 pay --happened --result '{\"paid\": 7}'",
            "resolve exec_a1c7f6f4 pay --look",
        ),
    ),
    (
        DECIDE,
        "fork",
        "steering:fork_command",
        "Start an execution that takes over what another's steps gave, and does the others itself.",
        (
            "fork exec_a1c7f6f4 --at third",
            'fork exec_a1c7f6f4 --at third --edit \'second={"text": "better"}\'',
        ),
    ),
    (
        DECIDE,
        "retry",
        "steering:retry_command",
        "Do what an execution left undone that ended without its result.",
        ("retry exec_a1c7f6f4", "retry exec_a1c7f6f4 --step third"),
    ),
    (
        LOOK,
        "ls",
        "looking:ls_command",
        "Executions, newest first.",
        ("ls", "ls --status failed -o json"),
    ),
    (
        LOOK,
        "show",
        "looking:show_command",
        "How an execution stands; a goal with its whole report.",
        ("show are_exec_20250101_120000_00001 --all",),
    ),
    (
        LOOK,
        "logs",
        "looking:logs_command",
        "Everything that happened in an execution, from its journal.",
        ("logs are_exec_20250101_120000_00001",),
    ),
    (
        LOOK,
        "agents",
        "describing:agents_command",
        "Who can do what: agents, actions, risk, effect and inputs.",
        ("agents", "agents writer"),
    ),
    (
        LOOK,
        "schema",
        "schema:schema_command",
        "The format of workflow files as a JSON Schema, for editors.",
        ("schema > workflow.schema.json",),
    ),
    (
        LOOK,
        "explain",
        "explaining:explain_command",
        "What a code means: why it is told, an example of it, and the example mended.",
        ("explain WF018", "explain data_folder_busy"),
    ),
    (
        KEEP,
        "verify",
        "verifying:verify_command",
        "Check every digest of the journal; exit code 1 where something is damaged.",
        ("verify --data .dirigent",),
    ),
    (
        KEEP,
        "doctor",
        "examining:doctor_command",
        "What Dirigent found around itself: versions, data folder, settings and where they come from.",
        ("doctor",),
    ),
    (
        KEEP,
        "simulate",
        "simulating:simulate_command",
        "Play seeded runs of the engine under faults, and check that every promise holds.",
        ("simulate flow.yaml -i @input.json --fail inventory=0.1 --crash 0.3", "simulate --seeds 200"),
    ),
    (
        KEEP,
        "serve",
        "serving:serve_command",
        "Start the HTTP server.",
        ("serve --port 8080",),
    ),
)

# Applications of their own, because they have commands below them; their examples stand there.
APPS = (
    (
        DECIDE,
        "approvals",
        "inbox",
        -1,
        "What waits for a person, oldest first; `approvals show ID` prints the exact text.",
    ),
    (
        WORK,
        "workflow",
        "library",
        3.5,
        "Workflows stored by name: versions, differences, rollback, pause, export and import.",
    ),
    (
        WORK,
        "event",
        "events",
        3.6,
        "Events of the business: hand one in, list them, replay history without effect.",
    ),
    (
        WORK,
        "trigger",
        "triggers",
        3.7,
        "What starts workflows by itself: list, fire, pause and resume triggers, and what they did.",
    ),
    (
        WORK,
        "connector",
        "connectors",
        3.8,
        "Other systems that are asked what has changed: list them, ask now.",
    ),
    (
        LOOK,
        "schedule",
        "schedules",
        12.5,
        "When schedules fire next, with time zone and clock changes explained.",
    ),
    (
        KEEP,
        "agent",
        "agent",
        50,
        "One agent as a server of its own, for engines to call: `agent serve`, `agent key`.",
    ),
    (
        KEEP,
        "queue",
        "queueing",
        -1,
        "The jobs of the queue by topic: `queue list`, `add`, `dead`, `replay`, `purge`, `runs`.",
    ),
)


def build_app() -> App:
    """The command tree."""
    app = App(
        name="dirigent",
        help="Orchestration for agents that do business work: goals, workflows, approvals, one journal.",
        version=__version__,
        help_epilogue="Begin with: dirigent import examples/wholesaler --org org_123",
        suppress_keyboard_interrupt=False,
        help_format="plaintext",
    )
    for place, (group, name, where, what, examples) in enumerate(COMMANDS):
        app.command(
            f"dirigent.cli.commands.{where}",
            name=name,
            group=group,
            help=what,
            sort_key=place,
            help_epilogue=_epilogue(examples),
        )
    _add_goal(app)
    for group, name, where, sort_key, what in APPS:
        app.command(
            f"dirigent.cli.commands.{where}:app", name=name, group=group, sort_key=sort_key, help=what
        )
    app.command(
        "dirigent.cli.commands.archiving:app",
        name="archive",
        group=KEEP,
        sort_key=-0.5,
        help="Finished executions out of the working store into files: `archive list`, `show`, `restore`.",
    )
    app.command(
        "dirigent.cli.commands.keys:app",
        name="key",
        group=KEEP,
        sort_key=-0.4,
        help="The key of an encrypted data folder: `key new`, `encrypt`, `rotate`, `status`.",
    )
    return app


def run(arguments: Sequence[str]) -> int:
    """Run one command line and return its exit code; errors are told on standard error."""
    try:
        code = build_app()(
            list(arguments), exit_on_error=False, print_error=False, result_action="return_value"
        )
        sys.stdout.flush()
    except BrokenPipeError:
        let_go_of_output()
        return DONE
    except KeyboardInterrupt:
        Screen().warn("\ninterrupted. What was acknowledged stays; run it again to go on.")
        return INTERRUPTED
    except Exception as error:  # the last place where anything can be said about it
        return end_of(error)
    return code if isinstance(code, int) else DONE


def main() -> None:
    """The entry point of `dirigent`."""
    for stream in (sys.stdout, sys.stderr):
        getattr(stream, "reconfigure", lambda **_: None)(errors="replace")
    sys.exit(run(sys.argv[1:]))


def _add_goal(app: App) -> None:
    goal = App(
        name="goal",
        help="Hand in a goal: `goal run`.",
        group=WORK,
        sort_key=0.5,
        help_epilogue=_epilogue((GOAL_EXAMPLE,)),
    )
    goal.command(
        "dirigent.cli.commands.goals:run_command",
        name="run",
        help="Work on a goal until it has ended or waits for a person.",
        help_epilogue=_epilogue(
            (GOAL_EXAMPLE, "goal run 'Reactivate 50 dormant enterprise leads' --org org_123")
        ),
    )
    app.command(goal)


def _epilogue(examples: Sequence[str]) -> str:
    word = "Example" if len(examples) == 1 else "Examples"
    return "\n".join([f"{word}:", *(f"  dirigent {example}" for example in examples)])
