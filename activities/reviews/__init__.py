"""Reviews: who decides on an output, until when, and what was decided."""
