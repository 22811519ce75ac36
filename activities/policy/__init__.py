"""Admission decided by Rego policies."""
