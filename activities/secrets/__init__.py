"""Secrets with versions, and the stores that keep them."""
