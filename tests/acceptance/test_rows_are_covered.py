"""What is asked of workflows, execution, queues, triggers and events, and the tests that hold it."""

from __future__ import annotations

import pytest

from tests.acceptance.test_examples_are_covered import TESTS, names_in

TRIGGERS = "intake/triggers/"
EVENTS = "intake/events/"
HTTP = "acceptance/test_http_events.py::"
FLOWS = "acceptance/test_http_workflows.py::"
SHIPPED = "acceptance/test_event_workflows.py::"
FEEDBACK = "agents/test_feedback"
KEEPER = "intake/schedules/test_keeper.py::"
REMOTE = "remote/"
JOURNAL = "../src/dirigent/testing/conformance.py::"
QUEUE = "../src/dirigent/testing/queue_conformance.py::"
SEED = "acceptance/test_seed_workflows.py::"
DURABLE = "acceptance/test_durability.py::"
LOADING = "interpreter/test_loading.py::"
MACHINE = "interpreter/test_machine.py::"
FALLBACK = "interpreter/test_fallback.py::"
WORKER = "execution/test_worker.py::"
ENVELOPE = "domain/test_envelope.py::"
MANAGER = "intake/test_campaign_manager.py::"

COVERED: dict[str, tuple[str, ...]] = {
    "WFD-01": (
        f"{LOADING}test_the_printed_workflow_loads",
        f"{SEED}test_the_printed_workflow_is_stored_as_it_is",
    ),
    "WFD-02": (
        "interpreter/test_differences.py::test_a_file_written_anew_is_the_same_version",
        f"{LOADING}test_a_definition_goes_to_data_and_back",
    ),
    "WFD-03": (f"{SEED}test_a_sequence_waits_at_its_approval",),
    "WFD-04": (f"{SEED}test_parallel_steps_overlap",),
    "WFD-05": (f"{SEED}test_a_condition_takes_exactly_one_branch",),
    "WFD-06": (f"{SEED}test_one_run_for_each_event", f"{LOADING}test_event_driven_is_spelt_in_three_ways"),
    "WFD-07": (f"{SEED}test_a_mix_of_types", f"{SEED}test_the_printed_workflow"),
    "WFD-08": (f"{SEED}test_the_printed_workflow_without_its_brand", f"{MACHINE}test_validation"),
    "WFD-09": (f"{LOADING}test_a_mistake_is_told_with_its_place_and_a_fix",),
    "WFD-10": (
        f"{SEED}test_the_printed_workflow",
        f"{MACHINE}test_a_condition_without_a_value_fails_its_step",
    ),
    "WFD-11": (f"{SEED}test_the_printed_workflow", f"{MACHINE}test_a_guard_that_is_false_skips_its_step"),
    "WFD-12": (
        f"{MACHINE}test_an_edge_condition_without_a_value_fails_the_target",
        f"{LOADING}test_a_mistake_is_told_with_its_place_and_a_fix",
    ),
    "WFD-13": (f"{LOADING}test_durations", f"{LOADING}test_a_mistake_is_told_with_its_place_and_a_fix"),
    "WFD-14": (f"{SEED}test_the_printed_retries", f"{MACHINE}test_retries_wait_twice_as_long_each_time"),
    "WFD-15": (
        f"{FALLBACK}test_another_action_takes_over_after_the_last_attempt",
        f"{FALLBACK}test_a_value_takes_the_place_of_the_result",
    ),
    "WFD-16": (
        "interpreter/test_expression.py::test_an_expression_gives_its_value",
        "interpreter/test_expression.py::test_what_is_not_cel_does_not_compile",
        "interpreter/test_expression.py::test_ten_thousand_parentheses_are_refused",
    ),
    "WFD-17": (
        f"{MACHINE}test_bare_names_mean_the_latest_output_that_has_them",
        "interpreter/test_lint.py::test_a_name_is_ambiguous_in_parallel_branches_only",
    ),
    "WFD-18": (f"{LOADING}test_conditions_with_an_operator_become_comparisons",),
    "WFD-19": (
        "interpreter/test_waiting.py::test_an_approval_step_waits_and_goes_on",
        "acceptance/test_outward_steps.py::test_operators_are_told_without_anything_leaving",
        f"{MACHINE}test_the_output_is_what_the_definition_maps",
        "interpreter/test_waiting.py::test_a_wait_lasts_as_long_as_it_says",
        "acceptance/test_signals.py::test_an_event_reaches_every_execution_that_waits_for_it",
        "acceptance/test_library.py::test_a_stored_workflow_is_called_by_name",
        "interpreter/test_fanout.py::test_results_come_in_the_order_of_the_items",
        "interpreter/test_blocks.py::test_branches_run_at_once_each_in_its_order",
        "acceptance/test_outward_steps.py::test_asking_is_a_read_and_its_answer_is_data",
    ),
    "WFD-20": (f"{MACHINE}test_an_error_way_handles_the_failure",),
    "WFD-21": (
        "interpreter/test_lint.py::test_the_printed_workflow_gets_one_warning",
        f"{LOADING}test_a_mistake_is_told_with_its_place_and_a_fix",
        "interpreter/test_forty_mistakes.py::test_every_mistake_of_the_file_is_told_in_one_go",
    ),
    "WFD-22": (
        f"{FLOWS}test_versions_are_compared_and_put_in_force",
        "acceptance/test_library.py::test_an_update_during_a_run",
        "acceptance/test_cli_library.py::test_show_versions_and_diff",
    ),
    "WFD-24": ("acceptance/test_workflow_input.py::test_the_input_of_a_trigger_runs_through_the_validation",),
    "WFD-25": ("acceptance/test_cli_library.py::test_export_and_import",),
    "EXE-01": (
        "acceptance/test_queue_flows.py::test_a_workflow_runs_as_a_job",
        "acceptance/test_queue_flows.py::test_a_goal_runs_as_a_job",
        "runtimes/test_flow_engine.py::test_it_is_an_execution",
    ),
    "EXE-02": (f"{DURABLE}test_ten_steps_at_once_run_at_once",),
    "EXE-03": (f"{MACHINE}test_a_join_waits_for_all", f"{MACHINE}test_nothing_runs_behind_a_failure"),
    "EXE-04": (
        f"{DURABLE}test_tries_again_with_backoff_and_then_succeeds",
        f"{MACHINE}test_retries_wait_twice_as_long_each_time",
        f"{MACHINE}test_what_is_not_tried_again",
    ),
    "EXE-05": (
        f"{FALLBACK}test_another_action_takes_over_after_the_last_attempt",
        f"{MACHINE}test_an_error_way_handles_the_failure",
    ),
    "EXE-06": (
        f"{DURABLE}test_goes_on_from_the_step_that_was_cut_off",
        f"{DURABLE}test_parks_an_effect_whose_outcome_nobody_knows",
    ),
    "EXE-07": (f"{WORKER}test_the_nine_stages_in_order", f"{WORKER}test_a_job_becomes_an_envelope"),
    "EXE-08": (
        "execution/test_places.py::test_the_third_of_three_waits_for_a_place",
        "execution/test_places.py::test_beyond_the_backlog_all_is_refused",
    ),
    "EXE-09": ("acceptance/test_seed_engine.py::test_the_printed_hundred_are_at_work_at_once",),
    "EXE-10": (
        f"{DURABLE}test_a_step_ends_at_its_time_limit",
        f"{DURABLE}test_cancel_stops_what_runs_and_starts_nothing_more",
        "interpreter/test_blocks.py::test_the_time_of_a_run_is_limited",
    ),
    "EXE-11": (
        f"{JOURNAL}test_is_a_journal",
        "runtimes/test_parts.py::test_the_usual_parts_fit_their_protocols",
    ),
    "EXE-12": (
        f"{MACHINE}test_what_the_state_cannot_take_is_refused",
        f"{MACHINE}test_a_run_starts_once_and_first",
    ),
    "EXE-13": (
        f"{DURABLE}test_pause_holds_what_would_begin_until_resume",
        f"{DURABLE}test_cancel_stops_what_runs_and_starts_nothing_more",
        "acceptance/test_cli_steer.py::test_a_paused_run_does_nothing_until_it_is_resumed",
    ),
    "EXE-14": ("acceptance/test_goal.py::test_waits_at_l1_and_releases_exactly_what_was_approved",),
    "EXE-15": (
        "acceptance/test_door.py::test_going_around_the_dispatcher_is_refused_and_recorded",
        "acceptance/test_door.py::test_every_action_that_ran_has_a_verdict_before_it",
    ),
    "EXE-16": (f"{DURABLE}test_a_budget_is_never_exceeded",),
    "EXE-17": (
        "execution/test_blocking.py::test_the_tasks_of_one_run_are_shared_by_processes",
        "acceptance/test_cli_worker_process.py::test_two_workers_share_the_jobs",
    ),
    "EXE-18": ("acceptance/test_seed_engine.py::test_every_printed_figure_has_a_target",),
    "EXE-19": ("execution/test_blocking.py::test_a_blocking_action_holds_nobody_up",),
    "EXE-20": (
        "acceptance/test_cli_live.py::test_the_tree_counts_and_names",
        "acceptance/test_http_live.py::test_the_printed_workflow_while_it_runs",
        "api/test_live.py::test_a_run_while_it_runs",
    ),
    "EXE-21": ("acceptance/test_http_executions.py::test_the_history_names_who_did_what",),
    "EXE-22": (
        "runtimes/test_flow_engine.py::test_max_parallel_of_a_node_is_never_exceeded",
        "runtimes/test_flow_engine.py::test_a_node_is_tried_again_after_its_wait",
        "runtimes/test_flow_engine.py::test_a_node_has_its_time",
        "runtimes/test_flow_engine.py::test_a_fallback_takes_the_place_of_a_result",
    ),
    "EXE-23": ("runtimes/test_flow_engine.py::test_a_sequence_gives_an_envelope",),
    "EXE-24": (
        "runtimes/test_parts.py::test_an_engine_runs_on_other_parts",
        "runtimes/test_parts.py::test_the_usual_parts_fit_their_protocols",
    ),
    "QUE-01": (
        f"{QUEUE}test_it_has_both_faces",
        "runtimes/test_parts.py::test_the_usual_parts_fit_their_protocols",
    ),
    "QUE-02": (f"{QUEUE}test_what_goes_in_comes_out",),
    "QUE-03": (
        f"{QUEUE}test_a_held_job_is_invisible_until_its_time_is_over",
        f"{QUEUE}test_ack_removes",
        f"{QUEUE}test_requeue_counts_and_waits",
    ),
    "QUE-04": ("storage/test_queue.py::test_two_processes_share_one_queue",),
    "QUE-05": (
        "execution/test_submitting.py::test_two_of_ten_at_once",
        "execution/test_submitting.py::test_a_call_that_raises_or_is_cancelled_frees_its_place",
    ),
    "QUE-06": ("execution/test_capacity.py::test_submitted_functions_share_the_bound",),
    "QUE-07": (f"{WORKER}test_the_nine_stages_in_order",),
    "QUE-08": (f"{WORKER}test_worker_events_as_printed",),
    "QUE-09": (
        f"{WORKER}test_a_transient_error_is_tried_again_after_a_wait",
        "execution/test_submitting.py::test_what_another_try_may_mend",
    ),
    "QUE-10": (
        f"{WORKER}test_the_last_failure_makes_a_job_dead",
        "acceptance/test_cli_queue.py::test_dead_jobs_are_listed_shown_and_replayed",
    ),
    "QUE-11": (f"{MANAGER}test_a_trigger_becomes_the_printed_job",),
    "QUE-12": (f"{MANAGER}test_without_a_queue_the_flow_runs_at_once",),
    "QUE-13": (
        f"{MANAGER}test_an_unknown_flow_lists_those_there_are",
        "execution/test_flows.py::test_tools_are_found_by_a_word",
    ),
    "QUE-14": (f"{MANAGER}test_a_trigger_becomes_the_printed_job",),
    "QUE-15": (f"{ENVELOPE}test_the_printed_envelope_is_one",),
    "QUE-16": (
        f"{ENVELOPE}test_records_make_an_envelope_that_reads_back",
        f"{ENVELOPE}test_an_envelope_made_by_hand_is_checked_too",
        f"{WORKER}test_a_flow_that_gives_no_envelope_is_dead",
    ),
    "QUE-17": (
        "api/test_envelopes.py::test_every_action_of_every_agent_gives_an_envelope",
        "acceptance/test_http_goals.py::test_an_execution_as_printed",
        "acceptance/test_queue_flows.py::test_a_workflow_runs_as_a_job",
    ),
    "QUE-18": (f"{ENVELOPE}test_it_works_where_pydantic_is_not_installed",),
    "QUE-19": (f"{WORKER}test_envelope_and_nodes_are_on_record",),
    "QUE-20": ("acceptance/test_delivery_gate.py::test_the_printed_cases",),
    "QUE-21": (
        f"{QUEUE}test_priority_then_first_in_first_out",
        f"{QUEUE}test_a_delayed_job_is_not_early",
        f"{QUEUE}test_silence_too_is_a_failure",
    ),
    "QUE-22": (
        "acceptance/test_wiring.py::test_the_shipped_example_runs",
        "acceptance/test_wiring.py::test_every_module_imports_with_the_core_alone",
    ),
    "QUE-23": (
        "acceptance/test_cli_worker_process.py::test_a_stop_lets_the_job_finish",
        "acceptance/test_cli_worker_process.py::test_a_stop_gives_back_what_does_not_finish",
    ),
    "QUE-24": (f"{WORKER}test_the_nine_stages_in_order",),
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
    "TRG-03": (f"{FLOWS}test_a_workflow_is_executed_by_body_as_printed",),
    "TRG-04": (
        f"{FLOWS}test_a_workflow_is_executed_by_id_as_printed",
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
    "API-43": (
        "acceptance/test_http_live.py::test_a_plain_request",
        "acceptance/test_http_live.py::test_the_printed_workflow_while_it_runs",
    ),
    "MSG-07": (
        "acceptance/test_http_live.py::test_what_was_missed",
        "api/test_live.py::test_only_ones_own_tenant",
        "api/test_live.py::test_pages_from_elsewhere",
        "api/test_live.py::test_heartbeats",
        "api/test_live.py::test_a_client_that_takes_nothing",
    ),
    "AGT-53": (
        f"{REMOTE}test_processes.py::test_the_printed_inventory_agent",
        f"{REMOTE}test_processes.py::test_killed_in_the_middle_of_an_effect",
        f"{REMOTE}test_processes.py::test_stopped",
        f"{REMOTE}test_processes.py::test_the_documented_port_is_the_default",
        f"{REMOTE}test_calls.py::test_no_answer_to_a_keyed_effect",
        f"{REMOTE}test_calls.py::test_no_answer_to_an_effect_that_must_not_be_repeated",
        f"{REMOTE}test_presence.py::test_online_and_offline",
    ),
    "INT-17": (
        f"{REMOTE}test_presence.py::test_the_configuration_shows_the_defaults",
        f"{REMOTE}test_printed.py::test_a_step_with_its_type_uses_the_printed_address",
    ),
    "INT-18": (
        f"{REMOTE}test_keys.py::test_without_a_key_nothing_is_answered",
        f"{REMOTE}test_keys.py::test_a_key_is_changed_without_a_gap",
        f"{REMOTE}test_keys.py::test_no_key_is_ever_told",
    ),
    **dict.fromkeys(
        ("CFG-36", "CFG-37", "CFG-38", "CFG-39"),
        (
            f"{REMOTE}test_presence.py::test_each_printed_agent_has_its_variable_and_default",
            f"{REMOTE}test_printed.py::test_a_step_with_its_type_uses_the_printed_address",
        ),
    ),
    "AGT-29": (
        "agents/test_social_media.py::test_a_post_for_each_platform",
        "agents/test_social_media.py::test_topics_are_told_in_different_ways",
        "agents/test_social_media.py::test_every_draft_fits",
        "agents/test_social_media.py::test_every_fault_costs_its_points",
    ),
    "AGT-30": (
        "agents/test_content_schedule.py::test_three_posts_over_a_working_day",
        "acceptance/test_example_workflows.py::test_posts_go_out_at_their_times",
    ),
    "AGT-31": (
        "acceptance/test_publishing.py::test_while_delivery_is_off_each_post_is_told_as_held",
        "acceptance/test_publishing.py::test_with_delivery_a_post_leaves_once",
        "acceptance/test_telling_what_is_held.py::test_every_way_out_is_shut",
    ),
    "AGT-32": (
        "agents/test_content_figures.py::test_three_posts_with_given_numbers",
        "agents/test_content_figures.py::test_real_headline_tests",
    ),
    "AGT-33": (
        "agents/test_social_media.py::test_a_poor_post_becomes_better",
        "agents/test_social_media.py::test_it_never_gets_worse_and_claims_nothing_new",
        "acceptance/test_content_creation.py::test_poor_content_is_made_better",
    ),
    "AGT-34": (
        f"{FEEDBACK}_analysis.py::test_the_printed_phrases",
        f"{FEEDBACK}_analysis.py::test_labelled_texts",
        f"{FEEDBACK}_analysis.py::test_a_mood_that_falls",
    ),
    "AGT-35": (
        f"{FEEDBACK}_replies.py::test_one_star_and_a_refund_demand",
        f"{FEEDBACK}_replies.py::test_nothing_is_promised_and_nothing_repeated",
    ),
    "AGT-36": (f"{FEEDBACK}_analysis.py::test_thirty_labelled_sentences",),
    "API-34": (
        f"{FLOWS}test_a_workflow_is_created_from_steps_as_printed",
        f"{FLOWS}test_a_workflow_is_created_from_a_definition_as_printed",
        f"{FLOWS}test_the_printed_file_is_stored_as_it_is",
    ),
    "API-35": (f"{FLOWS}test_a_workflow_is_executed_by_body_as_printed",),
    "API-36": (
        f"{FLOWS}test_a_workflow_is_executed_by_id_as_printed",
        f"{FLOWS}test_what_started_it_is_one_of_five_words",
    ),
    "API-37": (
        f"{FLOWS}test_a_workflow_is_executed_by_body_as_printed",
        f"{FLOWS}test_goals_and_what_they_start_have_the_same_form",
    ),
}

# What is not there, and what it waits for. A row may stand in both.
MISSING = {
    "QUE-04": "queues on Redis and SQS: jobs lie in memory or in SQLite",
    "EXE-17": "workers that share one run over several machines: one process holds a data folder",
    "TRG-11": "streams on a broker: what goes out goes to files",
    "MSG-07": "log-in: until there is one, an organization is named, not proven",
    "EVS-10": "a page; the same is told by dirigent event status (test_cli_events.py, test_how_events_stand)",
}
ALL = {
    *(f"TRG-{number:02}" for number in range(1, 15)),
    *(f"EVS-{number:02}" for number in range(1, 11)),
    *(f"WFD-{number:02}" for number in range(1, 26)),
    *(f"EXE-{number:02}" for number in range(1, 25)),
    *(f"QUE-{number:02}" for number in range(1, 25)),
    *(f"CFG-{number}" for number in range(36, 40)),
    *(f"API-{number}" for number in range(34, 38)),
    "API-43",
    "MSG-07",
    "AGT-53",
    "INT-17",
    "INT-18",
    "SEC-09",
    *(f"AGT-{number}" for number in range(29, 37)),
}


def test_every_row_is_covered_or_waits_for_something() -> None:
    """None is left out, and none is unknown."""
    assert {*COVERED, *MISSING} == ALL


@pytest.mark.parametrize("named", sorted({test for tests in COVERED.values() for test in tests}))
def test_the_test_is_there(named: str) -> None:
    """A test that is renamed or removed is missed here."""
    file, _, name = named.partition("::")
    assert name in names_in(TESTS / file)
