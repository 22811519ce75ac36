"""Which row may start next: a pure structure over a plan's pages, bounded in what it remembers.

Rows that have ended keep one letter. Rows loaded and not ended keep their head. An output's reference is
kept while a row that depends on it has not succeeded.
"""

import heapq
from collections import Counter
from collections.abc import Iterable, Mapping

from activities.artifacts.contracts import Text
from activities.artifacts.files import Snapshot
from activities.plans.contracts import RowHead
from activities.prompts.contracts import NamedText
from activities.records.contracts import RowState
from workflows.contracts import Carried, RowResult

# Rows whose head is held while they wait for others. The plan is topologically ordered, so the first
# unfinished row can always run, however small this window is.
LOOKAHEAD = 2000

# Every row that starts is told of all of them.
MAX_NOTES = 50

LETTERS = {
    RowState.PENDING: "p",
    RowState.RUNNING: "r",
    RowState.REVIEW: "v",
    RowState.SUCCEEDED: "s",
    RowState.FAILED: "f",
    RowState.DENIED: "d",
    RowState.VERIFICATION_FAILED: "n",
    RowState.REJECTED: "j",
    RowState.BLOCKED: "b",
    RowState.SKIPPED: "k",
    RowState.CANCELLED: "c",
}
STATES = {letter: state for state, letter in LETTERS.items()}
# A person refused these answers, or code did: a retry asks the model anew instead of replaying its answer.
_FRESH = frozenset({RowState.VERIFICATION_FAILED, RowState.REJECTED})


class Schedule:
    """The rows of one run and their order.

    Args:
        total: Number of rows in the plan.
        page_rows: Rows per page of the plan.
    """

    def __init__(self, total: int, page_rows: int) -> None:
        self.total = total
        self.page_rows = page_rows
        self._states = [LETTERS[RowState.PENDING]] * total
        self.counts: Counter[RowState] = Counter({RowState.PENDING: total})
        self.running: dict[int, RowHead] = {}
        self._heads: dict[int, RowHead] = {}
        self._ready: list[tuple[int, int]] = []
        self._unmet_upstream: dict[int, set[int]] = {}
        self._waiters: dict[int, list[int]] = {}
        self._outputs: dict[int, NamedText] = {}
        self._unmet: dict[int, int] = {}
        self._notes: dict[str, NamedText] = {}
        self._attempts: dict[int, int] = {}
        self._generations: dict[int, int] = {}
        self._again: set[int] = set()
        self._pages_wanted: list[int] = []
        self._next_page = 0

    @classmethod
    def restored(cls, total: int, page_rows: int, carried: Carried) -> "Schedule":
        """Return the schedule that a run carried over. Rows under way are adrift in it."""
        schedule = cls(total, page_rows)
        schedule._states = list(carried.states)
        schedule.counts = Counter(STATES[letter] for letter in carried.states)
        schedule._attempts = dict(carried.attempts)
        schedule._generations = dict(carried.generations)
        schedule._outputs = dict(carried.outputs)
        schedule._unmet = dict(carried.unmet)
        schedule._notes = dict(carried.notes)
        schedule.running = {head.index: head for head in carried.adrift}
        schedule._heads = dict(schedule.running)
        schedule._again = set(carried.again)
        schedule._next_page = carried.next_page
        schedule._want_pages_of(
            index
            for index, letter in enumerate(carried.states[: carried.next_page * page_rows])
            if letter == LETTERS[RowState.PENDING]
        )
        return schedule

    def carried(self, *, paused: bool, concurrency: int, sequence: int) -> Carried:
        """Return what the continuation needs."""
        return Carried(
            states="".join(self._states),
            attempts=self._attempts,
            generations=self._generations,
            outputs=self._outputs,
            unmet=self._unmet,
            notes=self._notes,
            adrift=tuple(self.running.values()),
            again=tuple(sorted(self._again)),
            next_page=self._next_page,
            paused=paused,
            concurrency=concurrency,
            sequence=sequence,
        )

    @property
    def finished(self) -> bool:
        """Whether every row has ended."""
        return not self.counts[RowState.PENDING] and not self.running

    def state(self, index: int) -> RowState:
        """Return a row's state."""
        return STATES[self._states[index]]

    def attempt(self, index: int) -> int:
        """Return which execution of a row is the current one, from 1."""
        return self._attempts.get(index, 1)

    def generation(self, index: int) -> int:
        """Return which fresh set of model calls a row is at, from 0."""
        return self._generations.get(index, 0)

    def page_to_load(self) -> int | None:
        """Return the next page that should be loaded, or ``None`` while enough rows are at hand."""
        if self._ready or (self.running and len(self._unmet_upstream) >= LOOKAHEAD):
            return None
        if self._pages_wanted:
            return self._pages_wanted[0]
        return self._next_page if self._next_page * self.page_rows < self.total else None

    def load(self, page: int, heads: tuple[RowHead, ...]) -> list[RowHead]:
        """Take the rows of a page and return those that can never start."""
        if page in self._pages_wanted:
            self._pages_wanted.remove(page)
        self._next_page = max(self._next_page, page + 1)
        blocked: list[RowHead] = []
        for head in heads:
            if self.state(head.index) is RowState.PENDING and head.index not in self._heads:
                blocked.extend(self._admit(head))
        return blocked

    def take(self) -> RowHead | None:
        """Return the row to start now, marked as running, or ``None``."""
        while self._ready:
            _, index = heapq.heappop(self._ready)
            head = self._heads.get(index)
            if head is not None and self.state(index) is RowState.PENDING:
                self._set(index, RowState.RUNNING)
                self.running[index] = head
                return head
        return None

    def upstream(self, head: RowHead) -> tuple[NamedText, ...]:
        """Return the outputs a row depends on, under the ids of their rows."""
        read = (index for index in head.upstream if index != head.unread)
        return tuple(self._outputs[index] for index in read if index in self._outputs)

    def finish(self, result: RowResult) -> list[RowHead]:
        """Take a row's end and return the rows that it blocks for good."""
        head = self.running.pop(result.index, None)
        if head is None or self.state(result.index).ended:
            return []
        if result.remember and result.state is RowState.SUCCEEDED and result.output is not None:
            self._remember(result.remember, result.output)
        return self._end(head, result.state, result.output, result.files)

    @property
    def notes(self) -> tuple[NamedText, ...]:
        """What the run remembers, the oldest note first."""
        return tuple(self._notes.values())

    def skip(self, index: int) -> list[RowHead]:
        """End a row that was not started; returns it and what it blocks, or nothing when it was started."""
        head = self._heads.get(index)
        if head is None or self.state(index) is not RowState.PENDING:
            return []
        return [head, *self._end(head, RowState.SKIPPED, None)]

    def retry(self, indexes: list[int]) -> list[int]:
        """Make rows that ended without success pending again, with what waits for them; returns all of them.

        Args:
            indexes: Rows to retry; empty means every one that ended without success.
        """
        again = {RowState.SUCCEEDED, RowState.PENDING, RowState.RUNNING, RowState.REVIEW}
        chosen = [i for i in indexes or range(self.total) if self.state(i) not in again]
        blocked = [i for i in range(self.total) if self.state(i) is RowState.BLOCKED] if chosen else []
        reset = sorted({*chosen, *blocked})
        for index in reset:
            state = self.state(index)
            self._attempts[index] = self.attempt(index) + 1
            if state in _FRESH:
                self._generations[index] = self.generation(index) + 1
            self._set(index, RowState.PENDING)
        self._want_pages_of(reset)
        return reset

    def expect(self, wanted: Mapping[int, int]) -> None:
        """Keep outputs, those to come among them, for rows that are about to be added.

        Args:
            wanted: How many of these depend on each row that is there.
        """
        for index, more in wanted.items():
            # Of a row that is not at hand its page will say how many depend on it.
            if index in self._unmet or index in self._heads or self.state(index) is RowState.SUCCEEDED:
                self._unmet[index] = self._unmet.get(index, 0) + more

    def let_go(self, index: int) -> bool:
        """Whether a row has succeeded and its output is not at hand."""
        return self.state(index) is RowState.SUCCEEDED and index not in self._outputs

    def recall(self, index: int, output: NamedText) -> None:
        """Take an output again that was let go."""
        self._outputs[index] = output

    def grow(self, total: int, planner: int) -> None:
        """Take in rows that a row has planned which is under way; whoever depends on that one waits for them too.

        Args:
            total: How many rows there are with them.
            planner: The row that planned them.
        """
        added = range(self.total, total)
        self._states += [LETTERS[RowState.PENDING]] * len(added)
        self.counts[RowState.PENDING] += len(added)
        self.total = total
        for head in list(self._heads.values()):
            if planner in head.upstream and self.state(head.index) is RowState.PENDING:
                upstream = tuple(sorted({*head.upstream, *added}))
                self._heads[head.index] = head.model_copy(update={"upstream": upstream})
                self._unmet_upstream[head.index].update(added)
                for index in added:
                    self._waiters.setdefault(index, []).append(head.index)
        # The last page may have been loaded before it held them.
        self._want_pages_of(index for index in added if index // self.page_rows < self._next_page)

    def retry_when_told(self, index: int) -> None:
        """Note that a row is wanted again whose end is on its way to this run."""
        if index in self.running:
            self._again.add(index)

    def wanted_again(self, index: int) -> bool:
        """Return, once, whether a row that has ended is wanted again."""
        wanted = index in self._again
        self._again.discard(index)
        return wanted

    def cancel_pending(self) -> None:
        """End every row that was not started."""
        for index, letter in enumerate(self._states):
            if letter == LETTERS[RowState.PENDING]:
                self._set(index, RowState.CANCELLED)
        self._heads = dict(self.running)
        self._ready.clear()
        self._unmet_upstream.clear()

    def cancel_running(self) -> None:
        """End every row that was under way and has not told its end."""
        for index in list(self.running):
            self._set(index, RowState.CANCELLED)
            del self.running[index]

    def _remember(self, key: str, output: Text) -> None:
        """Keep an output under a key, in place of what was there; the oldest note goes where there are too many."""
        self._notes.pop(key, None)
        self._notes[key] = NamedText(name=key, text=output)
        if len(self._notes) > MAX_NOTES:
            del self._notes[next(iter(self._notes))]

    def _admit(self, head: RowHead) -> list[RowHead]:
        self._heads[head.index] = head
        if head.dependants and head.index not in self._unmet:
            self._unmet[head.index] = head.dependants
        unmet = set()
        for upstream in head.upstream:
            state = self.state(upstream)
            if state.ended and state is not RowState.SUCCEEDED:
                return [head, *self._end(head, RowState.BLOCKED, None)]
            if state is not RowState.SUCCEEDED:
                unmet.add(upstream)
                self._waiters.setdefault(upstream, []).append(head.index)
        if unmet:
            self._unmet_upstream[head.index] = unmet
        else:
            heapq.heappush(self._ready, (head.priority, head.index))
        return []

    def _end(self, head: RowHead, state: RowState, output: Text | None, files: Snapshot | None = None) -> list[RowHead]:
        self._close(head, state)
        if state is RowState.SUCCEEDED:
            if output is not None and self._unmet.get(head.index):
                self._outputs[head.index] = NamedText(name=head.id, text=output, files=files)
            self._release_upstream(head)
            for waiter in self._waiters.pop(head.index, []):
                self._meet(waiter, head.index)
            return []
        blocked: list[RowHead] = []
        causes = [head.index]
        while causes:
            for waiter in self._waiters.pop(causes.pop(), []):
                waiting = self._heads.get(waiter)
                if waiting is not None and self.state(waiter) is RowState.PENDING:
                    self._close(waiting, RowState.BLOCKED)
                    blocked.append(waiting)
                    causes.append(waiter)
        return blocked

    def _close(self, head: RowHead, state: RowState) -> None:
        self._set(head.index, state)
        self._heads.pop(head.index, None)
        self._unmet_upstream.pop(head.index, None)

    def _meet(self, waiter: int, upstream: int) -> None:
        unmet = self._unmet_upstream.get(waiter)
        if unmet is None:
            return
        unmet.discard(upstream)
        if not unmet:
            del self._unmet_upstream[waiter]
            heapq.heappush(self._ready, (self._heads[waiter].priority, waiter))

    def _release_upstream(self, head: RowHead) -> None:
        for upstream in head.upstream:
            if upstream in self._unmet:
                self._unmet[upstream] -= 1
                if self._unmet[upstream] <= 0:
                    del self._unmet[upstream]
                    self._outputs.pop(upstream, None)

    def _want_pages_of(self, indexes: Iterable[int]) -> None:
        loaded = {index // self.page_rows for index in indexes}
        self._pages_wanted = sorted(loaded | set(self._pages_wanted))

    def _set(self, index: int, state: RowState) -> None:
        self.counts[self.state(index)] -= 1
        self._states[index] = LETTERS[state]
        self.counts[state] += 1
