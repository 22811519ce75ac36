"""Which model group writes a row that names none, and how large the share is that local models take."""
