"""Tools that models call: which there are, and whether a call may be carried out."""
