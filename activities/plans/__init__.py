"""Compiled catalogs, read by digest."""
