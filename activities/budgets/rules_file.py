"""Reads budgets from YAML and tells every fault with its place."""

from pathlib import Path

from activities.budgets.contracts import InvalidBudgets
from activities.budgets.rules import BudgetRules
from activities.yaml_document import load_document


def load_budgets(path: Path | None) -> BudgetRules:
    """Return the budgets of a file; without a file there are none.

    Raises:
        InvalidBudgets: It cannot be read, is not YAML, or does not say what budgets say; every fault is told.
    """
    if path is None:
        return BudgetRules()
    return load_document(path, BudgetRules, InvalidBudgets)
