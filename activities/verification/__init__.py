"""Acceptance criteria, checked by code or judged by a model."""
