"""What is remembered of runs, rows, steps, calls and events."""
