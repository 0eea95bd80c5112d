"""Advice on a definition that is sound: what will surprise somebody when it runs.

Nothing of this keeps a definition from being loaded, stored or run.
"""

from __future__ import annotations

from collections.abc import Callable

from dirigent.interpreter.lint import inputs, reads, steps
from dirigent.interpreter.lint.subject import ActionFacts, FactsOf, Subject, subject_of
from dirigent.interpreter.problems import Findings

__all__ = ["ActionFacts", "FactsOf", "Subject", "lint", "subject_of"]

_RULES: tuple[Callable[[Subject, Findings], None], ...] = (
    inputs.trigger_brings_all,
    inputs.trigger_fits,
    inputs.every_field_is_read,
    inputs.schema_words,
    reads.may_mean_two,
    reads.may_not_be_there,
    reads.nobody_gives_it,
    reads.nobody_reads_it,
    steps.never_runs,
    steps.always_the_same,
    steps.at_most_once,
    steps.waits_for_ever,
    steps.stands_alone,
    steps.parameters_fit,
    steps.nothing_starts_it,
    steps.starts_twice,
)


def lint(subject: Subject, findings: Findings) -> None:
    """Note everything that a rule finds."""
    for rule in _RULES:
        rule(subject, findings)
