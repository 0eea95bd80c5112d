"""The parts of a step that have a form of their own: cases, join, fallback, retry policy, times."""

from __future__ import annotations

from typing import Any

from dirigent.domain.workflow import Case, Compensate, Fallback, Kind, Retry
from dirigent.interpreter.durations import read_duration
from dirigent.interpreter.parts import AGENT_NAME, Parts, Use, check_name, collect_holes, need, read_word
from dirigent.interpreter.problems import Findings, Path, shown
from dirigent.interpreter.template import as_expression
from dirigent.interpreter.written import (
    JOINS,
    ON_ERROR,
    STEPS_MAX,
    WrittenCase,
    WrittenCompensate,
    WrittenFallback,
    WrittenJoin,
    WrittenOnError,
    WrittenRetry,
    WrittenStep,
    read_written,
)


def read_cases(written: WrittenStep, path: Path, parts: Parts) -> tuple[Case, ...]:
    """The ways of a switch: each has a condition, or a value where `on` says what to compare it with."""
    if written.on:
        parts.uses.append(Use(as_expression(written.on), (*path, "on")))
    return tuple(
        _read_case(data, (*path, "cases", number), parts, by_value=bool(written.on))
        for number, data in enumerate(written.cases)
    )


def _read_case(data: Any, path: Path, parts: Parts, *, by_value: bool) -> Case:
    findings = parts.findings
    written = read_written(WrittenCase, data, path, findings)
    need("to", data, path, findings)
    if by_value and "value" not in written.model_fields_set:
        message, fix = "the case has no value to compare with", "add value, or remove on from the step"
        findings.add("WF007", path, message, expected="value", fix=fix)
    elif not by_value and not written.when:
        message, fix = "the case has no condition", "add when: n > 1, or add on to the step and value here"
        findings.add("WF007", path, message, expected="when", fix=fix)
    wrong = "when" if by_value else "value"
    if wrong in written.model_fields_set:
        message = f"the case has {wrong} {'beside on' if by_value else 'without on'}"
        fix = "compare by value, or write conditions"
        findings.add("WF015", (*path, wrong), message, expected="one of the two", fix=fix, at_key=True)
    when = as_expression(written.when)
    if when:
        parts.uses.append(Use(when, (*path, "when"), "condition"))
    return Case(to=written.to, when=when, value=written.value)


def read_join(data: Any, path: Path, findings: Findings) -> int:
    """How many taken ways begin the step; 0 where all have to be decided."""
    if data is None:
        return 0
    if isinstance(data, dict):
        need("n", data, path, findings)
        return read_written(WrittenJoin, data, path, findings).n
    if isinstance(data, int) and not isinstance(data, bool):
        if 1 <= data <= STEPS_MAX:
            return data
        expected = f"1 to {STEPS_MAX}"
        findings.add("WF009", path, f"join is {data}", expected=expected, fix="write all, any or a number")
        return 0
    word = data if isinstance(data, str) else shown(data)
    return JOINS.get(read_word(word, tuple(JOINS), path, findings), 0)


def read_on_error(data: Any, path: Path, findings: Findings) -> tuple[str, str]:
    """What a failure means, and the step that it leads to."""
    if isinstance(data, dict):
        need("fallback", data, path, findings)
        return "fail", read_written(WrittenOnError, data, path, findings).fallback
    if not isinstance(data, str):
        fix = "write fail, continue, or fallback: and the id of a step below it"
        findings.add("WF008", path, f"on_error is {shown(data)}", expected="a word or a mapping", fix=fix)
        return "fail", ""
    return read_word(data, ON_ERROR, path, findings), ""


def read_fallback(written: WrittenStep, path: Path, parts: Parts) -> Fallback | None:
    """What takes the place of the result: `continue`, a value, or another action."""
    data, findings = written.fallback, parts.findings
    if data is None:
        return None
    if isinstance(data, str):
        read_word(data, ("continue",), path, findings)
        return Fallback()
    said = read_written(WrittenFallback, data, path, findings)
    agent = said.agent_type or said.agent
    by_value = "value" in said.model_fields_set
    if isinstance(data, dict) and not by_value:
        if not agent:
            need("agent_type", data, path, findings)
        need("action", data, path, findings)
    if by_value and said.model_fields_set != {"value"}:
        message, fix = "there is a value and an action", "keep one of the two"
        findings.add("WF015", (*path, "value"), message, expected="one of the two", fix=fix, at_key=True)
    if agent and (agent, said.action) == (written.agent_type or written.agent, written.action):
        message, fix = f"{agent}.{said.action} stands in for itself", "name another action, or retry_policy"
        findings.add("WF028", (*path, "action"), message, expected="another action", fix=fix)
    for key in ("agent_type", "agent", "action"):
        check_name(getattr(said, key), key, AGENT_NAME, (*path, key), findings)
    collect_holes(said.parameters, (*path, "parameters"), parts, of_item=bool(written.foreach))
    collect_holes(said.value, (*path, "value"), parts, of_item=bool(written.foreach))
    return Fallback(agent=agent, action=said.action, parameters=said.parameters, value=said.value)


def read_compensate(written: WrittenStep, path: Path, parts: Parts) -> Compensate | None:
    """The action that undoes the step."""
    if written.compensate is None:
        return None
    here, findings = (*path, "compensate"), parts.findings
    said = read_written(WrittenCompensate, written.compensate, here, findings)
    if isinstance(written.compensate, dict):
        if not said.agent:
            need("agent_type", written.compensate, here, findings)
        need("action", written.compensate, here, findings)
    for key in ("agent_type", "agent", "action"):
        check_name(getattr(said, key), key, AGENT_NAME, (*here, key), findings)
    collect_holes(said.parameters, (*here, "parameters"), parts, of_item=bool(written.foreach))
    usual = Compensate(agent="", action="")
    retry = read_retry(said.retry_policy, (*here, "retry_policy"), findings)
    return Compensate(
        agent=said.agent_type or said.agent,
        action=said.action,
        parameters=said.parameters,
        timeout_ms=read_span(said.timeout, (*here, "timeout"), findings),
        retry=retry if said.retry_policy is not None else usual.retry,
    )


def read_output(written: WrittenStep, path: Path, parts: Parts) -> Any:
    """What is made of the result: a mapping, or a text with expressions."""
    if written.output is None:
        return None
    if not isinstance(written.output, dict | str):
        message, fix = f"output is {shown(written.output)}", 'write output: {id: "${result.id}"}'
        parts.findings.add("WF008", path, message, expected="a mapping or a text", fix=fix)
    collect_holes(written.output, path, parts, of_item=bool(written.foreach))
    return written.output or None


def read_timeout(written: WrittenStep, kind: Kind | None, path: Path, findings: Findings) -> int:
    """The timeout of the step; an approval may also have it among its parameters."""
    if kind is Kind.APPROVAL and written.timeout is None and "timeout" in written.parameters:
        return read_span(written.parameters["timeout"], (*path, "parameters", "timeout"), findings)
    return read_span(written.timeout, (*path, "timeout"), findings)


def read_span(value: Any, path: Path, findings: Findings) -> int:
    """A duration in milliseconds; 0 where none is written."""
    return 0 if value is None else read_duration(value, path, findings)


def read_retry(data: Any, path: Path, findings: Findings) -> Retry:
    """How often the step is tried; without a policy once."""
    if data is None:
        return Retry()
    written = read_written(WrittenRetry, data, path, findings)
    usual = Retry()
    initial, longest = usual.initial_ms, usual.max_ms
    if written.initial is not None:
        initial = read_duration(written.initial, (*path, "initial"), findings, zero=True)
    if written.max is not None:
        longest = read_duration(written.max, (*path, "max"), findings, zero=True)
        if longest < initial:
            message = f"max {shown(written.max)} is shorter than the first wait"
            findings.add("WF009", (*path, "max"), message, expected="at least initial", fix="raise max")
    return Retry(
        max_attempts=written.max_attempts,
        initial_ms=initial,
        backoff_factor=float(written.backoff_factor),
        max_ms=max(longest, initial),
        jitter=float(written.jitter),
    )
