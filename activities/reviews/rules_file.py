"""Reads approval rules from YAML and tells every fault with its place."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from activities.reviews.contracts import InvalidApprovalRules
from activities.reviews.rules import ApprovalRules, contradictions
from activities.yaml_document import Fault, load_document


def load_approval_rules(path: Path | None) -> ApprovalRules:
    """Return the rules of a file; without a file there are none.

    Raises:
        InvalidApprovalRules: It cannot be read, is not YAML, or does not say what rules say; every fault is told.
    """
    if path is None:
        return ApprovalRules()
    return load_document(path, ApprovalRules, InvalidApprovalRules, _contradictions)


def _contradictions(value: Any) -> Iterator[Fault]:  # noqa: ANN401 -- any YAML value
    return iter(contradictions(value))
