"""How a target share of local calls is reached: which of the rows that could go either way stay in the house. Pure."""

from dataclasses import dataclass
from typing import Final

# How far a run may be off its target before what suits it best no longer counts: this part of its calls, or one call.
BAND: Final = 0.01
# How much the day counts against a run of one row; the more rows a run has, the less, as it reaches the target itself.
_PULL: Final = 10.0


@dataclass(frozen=True)
class Course:
    """Where a run stands on its way to the target.

    Everything is in what the share counts, calls or tokens; what is under way counts as it is expected to be.

    Args:
        target: The share that local models are to have at the end.
        local: What local models have.
        total: What all models have.
        rows: Rows of the run, chosen for or not.
        chosen: Rows that were chosen for, without this one.
        open_rows: Rows of the run that a local model could be given.
        open_chosen: Those of them that were chosen for, without this one.
        weight: What this row will take.
        suits: How well a local model would have served the newest rows that could go either way.
        lately: By how much the day, whatever its runs, falls short of the target; below 0 where it is above.
    """

    target: float
    local: float
    total: float
    rows: int
    chosen: int
    open_rows: int
    open_chosen: int
    weight: float
    suits: tuple[float, ...] = ()
    lately: float = 0.0

    @property
    def expected(self) -> float:
        """What all models will have at the run's end if it goes on like this."""
        return (self.total + self.weight) * max(self.rows / (self.chosen + 1), 1.0)

    @property
    def missing(self) -> float:
        """What local models fall short of by now.

        Only rows that a local model could be given bring the share nearer, so they carry it for all others: those
        that came already, and those that are still to come.
        """
        progress = min((self.open_chosen + 1) / max(self.open_rows, self.open_chosen + 1), 1.0)
        return self.target * self.expected * progress - self.local

    def stays(self, suits: float) -> bool:
        """Tell whether a row that could go either way stays local.

        Near the target the rows stay that suit a local model best, among those seen lately; away from it any row
        does that brings the run back.

        Args:
            suits: How well a local model would serve the row, from 0 to 1.
        """
        if self.target in {0.0, 1.0}:
            return self.target == 1.0
        band = max(BAND * self.expected, self.weight)
        if abs(self.missing) > band:
            return self.missing > 0
        wanted = min(self.target * self.rows / max(self.open_rows, 1), 1.0)
        pull = _PULL * self.lately / max(self.rows, 1)
        return self._rank(suits) < wanted + self.missing / (2 * band) + pull

    def _rank(self, suits: float) -> float:
        """Return which part of the rows seen lately suits better; rows that suit alike count by half."""
        if not self.suits:
            return 1.0 - suits
        better = sum(one > suits for one in self.suits)
        alike = sum(one == suits for one in self.suits)
        return (better + alike / 2) / len(self.suits)
