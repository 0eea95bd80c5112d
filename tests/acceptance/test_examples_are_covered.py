"""What must happen with every example of the engine and of the queue, and the tests that say so."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
FIXTURES = TESTS / "fixtures"

SEED = "acceptance/test_seed_workflows.py::"
CONTENT = "acceptance/test_content_creation.py::"
PRINTED = "acceptance/test_printed_agents.py::"
ENGINE = "acceptance/test_seed_engine.py::"
FLOWS = "acceptance/test_http_workflows.py::"
LOADING = "interpreter/test_loading.py::"
WIRING = "acceptance/test_wiring.py::"
WORKER = "execution/test_worker.py::"
ENVELOPE = "domain/test_envelope.py::"
MANAGER = "intake/test_campaign_manager.py::"
EXPORTERS = "observability/test_exporters.py::"

# By example: what must happen, and the tests that hold it.
COVERED: dict[str, dict[str, tuple[str, ...]]] = {
    "E002-01": {
        "loads and is stored unchanged": (
            f"{LOADING}test_the_printed_workflow_loads",
            f"{SEED}test_the_printed_workflow_is_stored_as_it_is",
            f"{FLOWS}test_the_printed_file_is_stored_as_it_is",
        ),
        "four steps and three ways between them": (f"{SEED}test_the_printed_workflow_is_stored_as_it_is",),
        "quality 60 and 80": (f"{SEED}test_the_printed_workflow",),
        "without brand_id nothing is generated": (f"{SEED}test_the_printed_workflow_without_its_brand",),
        "fails twice, then succeeds": (f"{SEED}test_the_printed_retries",),
        "over five minutes: step_timeout": (f"{SEED}test_the_printed_time_limit",),
        "its event starts one run, no other does": (
            f"{SEED}test_the_printed_event",
            "acceptance/test_http_events.py::test_the_printed_event_starts_the_printed_workflow",
        ),
        "workdays at nine, without input, foretold": (
            f"{SEED}test_the_printed_schedule",
            "interpreter/test_lint.py::test_the_printed_workflow_gets_one_warning",
        ),
        "enhance_content is a known action, and the shipped agent makes poor content better": (
            f"{CONTENT}test_poor_content_is_made_better",
            f"{CONTENT}test_good_content_is_left_as_it_is",
        ),
        "an operator beside a full expression": (
            f"{LOADING}test_conditions_with_an_operator_become_comparisons",
            f"{LOADING}test_a_mistake_is_told_with_its_place_and_a_fix",
        ),
    },
    "E002-02": {
        "all four are listed with these actions": (f"{PRINTED}test_all_are_listed_with_their_actions",),
        "each action runs with real output on the sample inputs of its contract": (
            f"{PRINTED}test_every_printed_action_has_a_sample",
            f"{PRINTED}test_an_action_gives_something_real",
        ),
        "social-media-content: its five actions": (
            "agents/test_social_media.py::test_a_post_for_each_platform",
            "agents/test_social_media.py::test_a_poor_post_becomes_better",
            "agents/test_content_schedule.py::test_three_posts_over_a_working_day",
            "acceptance/test_publishing.py::test_while_delivery_is_off_each_post_is_told_as_held",
            "acceptance/test_publishing.py::test_with_delivery_a_post_leaves_once",
            "agents/test_content_figures.py::test_three_posts_with_given_numbers",
            "agents/test_content_figures.py::test_few_impressions_prove_nothing",
            "agents/test_content_figures.py::test_real_headline_tests",
        ),
        "inventory: as printed, and its three actions": (
            "agents/test_inventory.py::test_the_printed_agent_is_there",
            "agents/test_inventory.py::test_ten_on_hand_less_four_reserved_are_six",
            "agents/test_inventory.py::test_more_than_there_is_changes_nothing",
            "agents/test_inventory.py::test_a_key_counts_once",
            "agents/test_demand.py::test_fifty_two_weeks_of_sales",
            "agents/test_demand.py::test_it_is_only_a_proposal",
        ),
        "feedback-analyst: as printed, and its three actions": (
            "agents/test_feedback_analysis.py::test_the_printed_agent_is_there",
            "agents/test_feedback_analysis.py::test_the_printed_phrases",
            "agents/test_feedback_analysis.py::test_labelled_texts",
            "agents/test_feedback_analysis.py::test_thirty_labelled_sentences",
            "agents/test_feedback_replies.py::test_one_star_and_a_refund_demand",
        ),
    },
    "E002-03": {
        "a registered agent is used by its steps": (f"{ENGINE}test_agents_are_registered_as_printed",),
        "a second one only with replace": (f"{ENGINE}test_a_type_is_registered_once",),
        "an agent as a server of its own": (
            "remote/test_printed.py::test_a_server_has_the_same_actions",
            "remote/test_printed.py::test_a_step_with_its_type_uses_the_printed_address",
            "remote/test_processes.py::test_the_printed_inventory_agent",
            "remote/test_processes.py::test_killed_in_the_middle_of_an_effect",
        ),
    },
    "E002-04": {
        "the printed defaults": (f"{ENGINE}test_the_printed_surroundings_are_the_defaults",),
        "each agent's address, printed and in use": (
            "remote/test_presence.py::test_each_printed_agent_has_its_variable_and_default",
            "remote/test_presence.py::test_the_configuration_shows_the_defaults",
            "remote/test_printed.py::test_a_step_with_its_type_uses_the_printed_address",
        ),
        "none of the services": (f"{ENGINE}test_services_that_are_named_and_not_there_are_told",),
    },
    "E002-05": {
        "short, and whole with verbose=1": (
            "acceptance/test_http_health.py::test_the_engine_s_health_as_printed",
            "acceptance/test_http_health.py::test_a_required_component_that_is_down",
        )
    },
    "E002-06": {
        "426 with header Upgrade: websocket": ("acceptance/test_http_live.py::test_a_plain_request",),
        "hello, then live events of the channels asked for": (
            "api/test_live.py::test_hello_says_what_there_is",
            "api/test_live.py::test_agents_and_alerts",
            "acceptance/test_http_live.py::test_the_printed_workflow_while_it_runs",
        ),
        "of its own tenant only": (
            "api/test_live.py::test_only_ones_own_tenant",
            "api/test_live.py::test_anothers_run",
        ),
        "reconnect with last_event_id gets what was missed": (
            "acceptance/test_http_live.py::test_what_was_missed",
            "api/test_live.py::test_going_on_where_it_stopped",
            "api/test_live.py::test_from_the_past_into_the_present",
        ),
    },
    "E002-07": {
        "created as printed, and once": (f"{FLOWS}test_a_workflow_is_created_from_steps_as_printed",),
        "stored as E002-10 with the same steps": (
            f"{FLOWS}test_a_workflow_is_created_from_a_definition_as_printed",
        ),
        "under 10 ms of computing": (f"{FLOWS}test_created_and_started_within_the_printed_times",),
        "a mistake names the step": (f"{FLOWS}test_every_mistake_is_told",),
    },
    "E002-08": {
        "executed as printed, started by api": (f"{FLOWS}test_a_workflow_is_executed_by_body_as_printed",),
        "the printed uuid is no workflow": (f"{FLOWS}test_the_printed_placeholder_is_no_workflow",),
        "under 50 ms of computing": (f"{FLOWS}test_created_and_started_within_the_printed_times",),
    },
    "E002-09": {
        "as printed": (f"{FLOWS}test_a_workflow_is_executed_by_body_as_printed",),
        "goals and what they start": (f"{FLOWS}test_goals_and_what_they_start_have_the_same_form",),
    },
    "E002-10": {
        "created as printed; without connections the order of the list": (
            f"{FLOWS}test_a_workflow_is_created_from_a_definition_as_printed",
        ),
        "steps and definition together": (f"{FLOWS}test_both_forms_at_once_are_refused",),
    },
    "E002-11": {
        "as printed, the same as by body": (f"{FLOWS}test_a_workflow_is_executed_by_id_as_printed",),
        "one of five words, and kept": (f"{FLOWS}test_what_started_it_is_one_of_five_words",),
    },
    "E002-12": {
        "every agent once, with links to its schemas": (
            "acceptance/test_http_agents.py::test_agents_are_listed_as_printed",
            "acceptance/test_http_agents.py::test_every_agent_tells_its_schemas",
        )
    },
    "E002-16": {
        "each type loads": (f"{LOADING}test_every_type_of_the_specification_loads",),
        "sequential waits at its approval": (f"{SEED}test_a_sequence_waits_at_its_approval",),
        "parallel steps overlap": (f"{SEED}test_parallel_steps_overlap",),
        "exactly one branch": (f"{SEED}test_a_condition_takes_exactly_one_branch",),
        "one run per event, or by hand": (
            f"{SEED}test_an_event_driven_workflow_runs_by_hand_too",
            f"{SEED}test_one_run_for_each_event",
        ),
        "hybrid: two at once, a gate that joins": (f"{SEED}test_a_mix_of_types",),
        "event-driven is spelt in three ways": (f"{LOADING}test_event_driven_is_spelt_in_three_ways",),
    },
    "E002-17": {
        "a hundred at once, none lost": (f"{ENGINE}test_the_printed_hundred_are_at_work_at_once",),
        "each figure against its target": (
            f"{ENGINE}test_every_printed_figure_has_a_target",
            "benchmarks/test_work.py::test_a_figure_is_judged_by_the_side_its_target_is_on",
        ),
    },
    "E004-01": {
        "built and accepted": (f"{ENVELOPE}test_the_printed_envelope_is_one",),
        "what is missing is named": (f"{ENVELOPE}test_what_is_missing_of_the_printed_envelope_is_named",),
        "every agent and every flow gives one": (
            "api/test_envelopes.py::test_every_action_of_every_agent_gives_an_envelope",
            f"{WORKER}test_a_flow_that_gives_no_envelope_is_dead",
            "acceptance/test_queue_flows.py::test_a_workflow_runs_as_a_job",
            "acceptance/test_queue_flows.py::test_a_goal_runs_as_a_job",
        ),
        "without pydantic, too": (f"{ENVELOPE}test_it_works_where_pydantic_is_not_installed",),
    },
    "E004-02": {
        "a trigger becomes it": (f"{MANAGER}test_a_trigger_becomes_the_printed_job",),
        "unknown flow": (f"{MANAGER}test_an_unknown_flow_lists_those_there_are",),
        "no queue: the flow runs at once": (f"{MANAGER}test_without_a_queue_the_flow_runs_at_once",),
    },
    "E004-03": {"nine stages in order": (f"{WORKER}test_the_nine_stages_in_order",)},
    "E004-04": {
        "the printed events": (f"{WORKER}test_worker_events_as_printed",),
        "log line": (f"{EXPORTERS}test_every_printed_event_is_a_log_line",),
        "metric": (f"{EXPORTERS}test_every_printed_event_is_counted",),
        "span": (f"{EXPORTERS}test_start_and_end_make_a_span",),
    },
    "E004-05": {
        "every case on every backend": ("conformance/test_queue.py::test_every_printed_case_is_in_the_suite",)
    },
    "E004-06": {
        "each case, counted at the sink": ("acceptance/test_delivery_gate.py::test_the_printed_cases",)
    },
    "E004-07": {
        "the printed wiring": (f"{WIRING}test_the_printed_wiring_runs_as_it_stands",),
        "the shipped example, without the network": (f"{WIRING}test_the_shipped_example_runs",),
        "two writers at once": (f"{WIRING}test_at_most_two_writers_at_once",),
    },
    "E004-08": {
        "every module imports with the core alone": (
            f"{WIRING}test_every_module_imports_with_the_core_alone",
            f"{WIRING}test_the_import_check_finds_what_does_not_import",
        )
    },
}

# What is not there yet, and what it waits for. An example may stand in both.
MISSING = {
    "E002-01": "a designer",
    "E002-04": "databases and brokers: what is used instead is told, the services are not used",
    "E002-13": "HTTP: GET /api/v1/agents/{type}/health",
    "E002-14": "HTTP: GET /api/v1/workflows/{id}/metrics",
    "E002-15": "HTTP: GET /api/v1/status",
}
ALL = {*(f"E002-{number:02}" for number in range(1, 18)), *(f"E004-{number:02}" for number in range(1, 9))}
NAMED = sorted({test for checks in COVERED.values() for tests in checks.values() for test in tests})


def test_every_example_is_covered_or_waits_for_something() -> None:
    """None is left out, and none is unknown."""
    assert {*COVERED, *MISSING} == ALL


@pytest.mark.parametrize("named", NAMED)
def test_the_test_is_there(named: str) -> None:
    """A test that is renamed or removed is missed here."""
    file, _, name = named.partition("::")
    assert name in names_in(TESTS / file)


def test_what_is_covered_is_read_from_the_example() -> None:
    """The file of every covered example that is not a request lies among the fixtures, as it was printed."""
    lying = {file.name[:6] for file in [*FIXTURES.glob("00*"), *(FIXTURES / "examples").glob("00*")]}
    assert {f"{one[1:]}" for one in COVERED} - {"002-12"} <= lying


@cache
def names_in(file: Path) -> frozenset[str]:
    """The names of the tests in a file, those of classes too."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    functions = (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))
    return frozenset(node.name for node in functions if node.name.startswith("test_"))
