"""A run as it goes: a tree that moves on a terminal, lines elsewhere."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable

from rich.console import RenderableType
from rich.live import Live
from rich.text import Text
from rich.tree import Tree

from dirigent.cli.progress import ENDED, ExecutionProgress, RunProgress, StepProgress
from dirigent.cli.screen import STYLES, Screen, amount, span, visible
from dirigent.domain.event import Event

REFRESH_SECONDS = 0.125
MARKS = {
    "succeeded": "✓",
    "failed": "✗",
    "rejected": "✗",
    "expired": "✗",
    "skipped": "–",
    "waiting": "◷",
    "held": "◷",
    "running": "●",
    "outcome_unknown": "?",
}


@contextlib.asynccontextmanager
async def shown_live(screen: Screen, progress: RunProgress) -> AsyncIterator[None]:
    """Draw the tree anew several times a second while the body runs; it stays as it was at the end."""
    if not screen.live:
        yield
        return
    began = time.monotonic()

    def draw() -> RenderableType:
        return tree_of(progress, time.monotonic() - began, int(time.time() * 1000))

    with Live(draw(), console=screen.console, auto_refresh=False) as live:
        task = asyncio.create_task(_redraw(live, draw))
        try:
            yield
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
            live.update(draw(), refresh=True)


class Lines:
    """Says in a line what has ended, for whoever reads a file or a pipe."""

    def __init__(self, screen: Screen, progress: RunProgress) -> None:
        self._screen = screen
        self._progress = progress
        self._said: set[tuple[str, str, str]] = set()

    def hear(self, execution_id: str, event: Event) -> None:
        """Say what an event has changed; to be told after the progress."""
        found = self._progress.executions.get(execution_id)
        name = getattr(event, "step", "").partition("[")[0]
        if self._screen.live or found is None or name not in found.steps:
            return
        step = found.steps[name]
        key = (execution_id, name, step.status)
        if (step.status in ENDED or step.status in ("waiting", "held")) and key not in self._said:
            self._said.add(key)
            self._screen.say(f"{self._since(event.at):>8}  {self._path(found, step)}  {_told(step)}")

    def _since(self, at: int) -> str:
        return span(max(0, at - self._progress.started_at) / 1000)

    def _path(self, found: ExecutionProgress, step: StepProgress) -> str:
        inner = found.execution_id.removeprefix(self._progress.root).strip("/")
        return f"{inner}/{step.name}" if inner else step.name


def tree_of(progress: RunProgress, elapsed: float, now_ms: int) -> RenderableType:
    """The whole run as a tree of its steps; `now_ms` is what running steps are timed by."""
    title = Text(visible(progress.title), style="bold")
    title.append(f"   {span(elapsed)}   {_cost(progress)}", style="dim")
    tree = Tree(title, guide_style="dim")
    root = progress.executions.get(progress.root)
    if root is not None:
        _grow(tree, progress, root, now_ms)
    return tree


def _grow(tree: Tree, progress: RunProgress, found: ExecutionProgress, now_ms: int) -> None:
    for step in found.steps.values():
        branch = tree.add(_line(step, now_ms))
        for child in progress.children(found.execution_id, step.name):
            if step.status != "skipped":
                _grow(branch, progress, child, now_ms)


def _line(step: StepProgress, now_ms: int) -> Text:
    style = STYLES.get(step.status, "dim")
    line = Text(f"{MARKS.get(step.status, '·')} ", style=style)
    line.append(f"{visible(step.name):<14}", style="" if step.status != "pending" else "dim")
    line.append(f" {_count(step)}", style="" if step.status in ENDED else style)
    seconds = max(0, now_ms - step.started_at) / 1000 if step.status == "running" else step.seconds
    if seconds:
        line.append(f"  {span(seconds)}", style="dim")
    if step.note and step.status in ("running", "failed", "skipped"):
        line.append(f"  {visible(step.note)}", style="dim" if step.status != "failed" else "red")
    return line


def _told(step: StepProgress) -> str:
    parts = [step.status, _count(step), span(step.seconds) if step.seconds else ""]
    if step.status in ("failed", "skipped", "waiting"):
        parts.append(step.note)
    return "  ".join(filter(None, parts))


def _count(step: StepProgress) -> str:
    if not step.total:
        return ""
    count = f"{step.done}/{step.total}"
    if step.waiting:
        count += f", {step.waiting} waiting"
    return count + (f", {step.failed} failed" if step.failed else "")


def _cost(progress: RunProgress) -> str:
    spent = f"cost {amount(progress.cost)}"
    return spent if progress.budget is None else f"{spent} of {amount(progress.budget)}"


async def _redraw(live: Live, draw: Callable[[], RenderableType]) -> None:
    while True:
        live.update(draw(), refresh=True)
        await asyncio.sleep(REFRESH_SECONDS)
