"""Agents as people write them, in YAML."""
