"""Capabilities: one package each, a contract, a thin activity class and its backends."""
