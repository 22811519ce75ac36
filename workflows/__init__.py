"""Deterministic orchestration only: catalogs, rows and reviews."""
