"""Budgets: how much model calls may cost, and what happens when it is spent."""
