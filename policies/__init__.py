"""Rego policies, their tests and their data documents; evaluated by the policy capability."""
