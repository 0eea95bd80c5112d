"""What is asked of triggers, connectors, the event store and encryption, and the tests that hold it."""

from __future__ import annotations

import pytest

from tests.acceptance.test_examples_are_covered import TESTS, names_in

TRIGGERS = "intake/triggers/"
EVENTS = "intake/events/"
HTTP = "acceptance/test_http_events.py::"
SHIPPED = "acceptance/test_event_workflows.py::"
KEEPER = "intake/schedules/test_keeper.py::"
JOURNAL = "../src/dirigent/testing/conformance.py::"

COVERED: dict[str, tuple[str, ...]] = {
    "TRG-01": (
        f"{KEEPER}test_workdays_at_nine",
        f"{KEEPER}test_local_time_follows_the_zone",
        "intake/schedules/test_times.py::test_times_come_by_the_rules_of_cron",
        "acceptance/test_cli_events.py::test_the_next_times",
    ),
    "TRG-02": (
        f"{HTTP}test_the_printed_event_starts_the_printed_workflow",
        f"{TRIGGERS}test_matching.py::test_an_event_starts_the_workflows_that_want_it",
        f"{TRIGGERS}test_matching.py::test_a_filter_decides_and_an_input_maps",
    ),
    "TRG-04": (
        f"{TRIGGERS}test_firing.py::test_fired_by_hand",
        "acceptance/test_cli_events.py::test_triggers_are_listed_fired_and_paused",
    ),
    "TRG-05": (f"{HTTP}test_the_printed_web_hook",),
    "TRG-06": (
        "intake/schedules/test_replicas.py::test_three_processes_one_firing",
        f"{KEEPER}test_what_was_missed_is_caught_up_once",
        f"{KEEPER}test_what_was_missed_is_left_out",
        f"{KEEPER}test_overlap_of_a_schedule",
    ),
    "TRG-07": (
        f"{EVENTS}test_consumers.py::test_a_failing_handler_does_not_stop_the_loop",
        f"{EVENTS}test_loop.py::test_process_events_survives_an_agent_that_fails",
    ),
    "TRG-08": (
        f"{TRIGGERS}test_matching.py::test_a_circle_of_causes_is_cut",
        f"{SHIPPED}test_a_workflow_that_starts_itself_is_cut_and_alerted",
    ),
    "TRG-09": (f"{EVENTS}test_loop.py::test_an_event_reaches_the_agents_that_handle_it",),
    "TRG-10": ("intake/webhooks/test_receiving.py::test_a_foreign_form_is_mapped",),
    "TRG-11": (
        f"{EVENTS}test_publishing.py::test_an_execution_from_accepted_to_completed",
        f"{EVENTS}test_publishing.py::test_nothing_is_sent_twice_or_left_out_over_restarts",
        "conformance/test_event_stream.py::test_a_torn_line_is_taken_away",
    ),
    "TRG-12": (f"{EVENTS}test_consumers.py::test_it_goes_on_where_it_stopped",),
    "TRG-13": (
        f"{SHIPPED}test_bad_feedback_has_a_person_look_at_it",
        f"{SHIPPED}test_a_campaign_is_prepared_and_held",
        f"{SHIPPED}test_an_alert_that_stays",
    ),
    "TRG-14": (
        "intake/connectors/test_polling.py::test_a_poll_yields_events",
        "intake/connectors/test_polling.py::test_nothing_comes_twice",
    ),
    "EVS-01": (
        f"{JOURNAL}test_a_wrong_version_is_refused_at_once",
        "storage/test_journal.py::test_the_database_itself_refuses_to_change_history",
    ),
    "EVS-02": (
        f"{EVENTS}test_loop.py::test_store_event_appends_and_then_updates_the_state",
        f"{EVENTS}test_loop.py::test_killed_between_append_and_handling",
    ),
    "EVS-03": (
        "acceptance/test_event_replay.py::test_ten_thousand_events_are_replayed",
        f"{EVENTS}test_loop.py::test_replay_from_a_time_on",
    ),
    "EVS-04": (
        "acceptance/test_event_replay.py::test_ten_thousand_events_are_replayed",
        f"{EVENTS}test_loop.py::test_replay_has_no_effect_outside",
    ),
    "EVS-05": ("acceptance/test_event_replay.py::test_ten_thousand_events_are_replayed",),
    "EVS-06": (
        "execution/test_snapshots.py::test_however_long_only_the_newest_events_are_folded",
        "execution/test_snapshots.py::test_without_a_good_snapshot_all_is_folded",
    ),
    "EVS-07": (f"{EVENTS}test_consumers.py::test_an_older_schema_is_read_as_today_s",),
    "EVS-09": (
        "acceptance/test_cli_key.py::test_no_file_shows_the_printed_workflow_or_its_input",
        "acceptance/test_cli_key.py::test_the_key_is_asked_for",
    ),
    "EVS-08": ("benchmarks/test_work.py::test_the_promised_rate_of_events_is_asked_for",),
    "WFD-23": (
        "acceptance/test_cli_key.py::test_no_file_shows_the_printed_workflow_or_its_input",
        "acceptance/test_cli_key.py::test_a_key_is_rotated",
        "storage/test_encryption.py::test_rotate",
    ),
    "SEC-09": (
        "acceptance/test_cli_key.py::test_a_key_file_is_for_its_owner",
        "acceptance/test_cli_key.py::test_the_key_is_asked_for",
        "acceptance/test_cli_key.py::test_a_key_is_rotated",
        "storage/test_encryption.py::test_a_crash_between_two_files_is_gone_on_from",
    ),
}

# What is not there, and what it waits for.
MISSING = {
    "TRG-03": "HTTP: POST /api/v1/workflows/execute",
    "EVS-10": "a page; the same is told by dirigent event status (test_cli_events.py, test_how_events_stand)",
}
ALL = {
    *(f"TRG-{number:02}" for number in range(1, 15)),
    *(f"EVS-{number:02}" for number in range(1, 11)),
    "WFD-23",
    "SEC-09",
}


def test_every_row_is_covered_or_waits_for_something() -> None:
    """None is left out, and none is in both."""
    assert {*COVERED, *MISSING} == ALL
    assert not {*COVERED} & {*MISSING}


@pytest.mark.parametrize("named", sorted({test for tests in COVERED.values() for test in tests}))
def test_the_test_is_there(named: str) -> None:
    """A test that is renamed or removed is missed here."""
    file, _, name = named.partition("::")
    assert name in names_in(TESTS / file)
