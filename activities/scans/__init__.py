"""Scans of texts for secrets."""
