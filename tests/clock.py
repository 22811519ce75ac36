"""A clock that stands where it is put."""

from datetime import UTC, datetime, timedelta


class Clock:
    """Moves only when told to."""

    def __init__(self, moment: str = "2026-11-23T12:00:00") -> None:
        self.moment = datetime.fromisoformat(moment).replace(tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.moment

    def forward(self, **span: float) -> None:
        self.moment += timedelta(**span)
