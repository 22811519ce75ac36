"""Signed statements of how an output came to be, and their offline verification."""
