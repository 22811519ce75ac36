"""Experiments: rows get one of several variants, people vote on the outputs, and a test says when one is better."""
