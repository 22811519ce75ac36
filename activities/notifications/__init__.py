"""Telling people, once."""
