"""Rows that rows plan: read, judged, and added to the plan of a run."""
