"""Bytes by digest, and texts that travel by value or by reference."""
