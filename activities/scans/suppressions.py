"""Findings that somebody takes no notice of: each with its reason, and a day on which it counts no more."""

from datetime import date
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field

from activities.scans.folder_contracts import CodeFinding, InvalidSuppressions
from activities.yaml_document import load_document

FILE: Final = ".prism-suppressions.yaml"


class Suppression(BaseModel):
    """One finding, or all of a rule, that counts for nothing until a day.

    Args:
        rule: The rule, or ``*`` for all.
        path: Files it holds for, as a glob such as ``tests/*``.
        reason: Why.
        expires: The first day on which it counts no more.
        fingerprint: One finding only.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    rule: Annotated[str, Field(min_length=1)]
    path: str = "*"
    reason: Annotated[str, Field(min_length=1)]
    expires: date
    fingerprint: str = ""

    def fits(self, finding: CodeFinding) -> bool:
        """Tell whether a finding is meant."""
        one = not self.fingerprint or self.fingerprint == finding.fingerprint
        return one and self.rule in {"*", finding.rule} and fnmatchcase(finding.path, self.path)


class Suppressions(BaseModel):
    """All suppressions of a repository."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    suppressions: tuple[Suppression, ...] = ()

    def expired(self, today: date) -> tuple[str, ...]:
        """Return those that have run out, as a person reads them."""
        return tuple(
            f"{one.rule} in {one.path}, expired {one.expires}: {one.reason}"
            for one in self.suppressions
            if one.expires <= today
        )

    def applied(self, finding: CodeFinding, today: date) -> CodeFinding:
        """Return a finding with the reason of the first suppression that fits it and has not run out."""
        for one in self.suppressions:
            if one.expires > today and one.fits(finding):
                return finding.model_copy(update={"suppressed": f"{one.reason} (until {one.expires})"})
        return finding


def load_suppressions(path: Path) -> Suppressions:
    """Return the suppressions of a file; none where there is no file.

    Raises:
        InvalidSuppressions: It cannot be read, is not YAML, or a suppression lacks its reason or day.
    """
    if not path.exists():
        return Suppressions()
    return load_document(path, Suppressions, InvalidSuppressions)
