"""Replay: the same events give the same state and the same commands, from bytes, anywhere."""

import os
import subprocess
import sys
from pathlib import Path

from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from dirigent.domain.event import ExecutionCancelled, ExecutionCompleted, ExecutionFailed
from dirigent.domain.workflow import Definition
from dirigent.interpreter.loading import definition_from, definition_to_dict
from dirigent.interpreter.machine import Machine
from dirigent.interpreter.reading import read_execution
from tests.interpreter.generated import Trace, definitions, from_bytes, replayed, run, to_bytes
from tests.interpreter.harness import Harness, agent, flow

ROOT = Path(__file__).parents[2]
SEEDS = st.integers(0, 2**32)

REPLAY = """
import pathlib, sys
from tests.interpreter.generated import from_bytes, replayed
for number, trace in enumerate(from_bytes(pathlib.Path(sys.argv[1]).read_bytes())):
    assert replayed(trace.definition, trace.events) == trace.said, f"trace {number} differs"
    print(len(trace.events))
"""


@settings(max_examples=150)
@given(definitions(), SEEDS)
def test_a_replay_gives_the_same_state_and_the_same_commands(definition, seed) -> None:
    """After every single event, and also when the events have been bytes in between."""
    live = run(definition, seed)
    said = replayed(definition, live.events)
    [again] = from_bytes(to_bytes([Trace(definition, live.events, said)]))
    assert replayed(again.definition, again.events) == said


@settings(max_examples=75)
@given(definitions(), SEEDS, st.data())
def test_a_driver_that_takes_over_finds_what_is_outstanding(definition, seed, data) -> None:
    """After any prefix of the events the outstanding commands are those the live machine had there."""
    events = run(definition, seed).events
    here = data.draw(st.integers(1, len(events)))
    live, taken_over = Machine(definition), Machine(definition)
    for event in events[:here]:
        live.apply(event)
    [again] = from_bytes(to_bytes([Trace(definition, events[:here], [])]))
    for event in again.events:
        taken_over.apply(event)
    assert taken_over.outstanding == live.outstanding
    assert taken_over.state == live.state


@settings(max_examples=75)
@given(definitions(), SEEDS)
def test_who_reads_a_run_reads_what_the_machine_knows(definition, seed) -> None:
    """At its end, of every step."""
    events, machine = run(definition, seed).events, Machine(definition)
    for event in events:
        machine.apply(event)
    read = {name: step.status for name, step in read_execution(events).steps.items()}
    known = {name: step.status for name, step in machine.state.steps.items() if name in read}
    assert {name: read[name] for name in known} == known


@settings(max_examples=150)
@given(definitions(), SEEDS)
def test_every_run_ends_once_with_every_step_settled(definition, seed) -> None:
    """A run that waits for nothing has ended; unless it was cancelled, no step is left over."""
    events = run(definition, seed).events
    machine = Machine(definition)
    for event in events:
        machine.apply(event)
    ends = [
        event
        for event in events
        if isinstance(event, ExecutionCompleted | ExecutionFailed | ExecutionCancelled)
    ]
    assert ends == events[-1:]
    assert machine.outstanding == []
    if not isinstance(events[-1], ExecutionCancelled):
        state = machine.state
        ended = {"succeeded", "succeeded_by_fallback", "failed", "skipped", "cancelled"}
        left_over = {"pending"} if state.regions[""].stopping else set()
        assert {step.status for step in state.steps.values()} <= ended | left_over
        assert all(fan.running == 0 and not fan.ready for fan in state.fans.values())
        assert list(state.regions) == [""]
        assert not state.loops
        assert not state.calls


@given(definitions())
def test_a_generated_definition_goes_to_data_and_back(definition: Definition) -> None:
    """The version a run was started on is the version it is taken up on."""
    again = definition_from(definition_to_dict(definition))
    assert again == definition
    assert again.content_hash == definition.content_hash


def test_another_process_under_another_hash_seed_agrees(tmp_path: Path) -> None:
    """State and commands after every event are the same bytes there."""
    traces: list[Trace] = []

    @settings(max_examples=150, phases=[Phase.generate], database=None)
    @given(definitions(), SEEDS)
    def collect(definition: Definition, seed: int) -> None:
        live = run(definition, seed)
        traces.append(Trace(definition, live.events, replayed(definition, live.events)))

    collect()
    file = tmp_path / "traces.json"
    file.write_bytes(to_bytes(traces))
    for hash_seed in ("1", "4242"):
        done = subprocess.run(
            [sys.executable, "-c", REPLAY, str(file)],
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        assert done.stdout.split() == [str(len(trace.events)) for trace in traces]


def test_the_order_in_which_steps_end_changes_no_result() -> None:
    """Independent steps that end in another order leave the same outputs behind."""
    definition = flow(*map(agent, "abcde"), type="parallel", output={"all": "${steps}"})
    forwards = Harness(definition).run()
    backwards = Harness(definition, pick=lambda names: names[-1]).run()
    assert forwards.output == backwards.output
    assert list(forwards.output["all"]) == list("abcde")
