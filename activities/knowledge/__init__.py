"""Passages of documents that fit a task."""
