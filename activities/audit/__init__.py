"""The audit log: who did and decided what, in a chain that shows when it was tampered with."""
