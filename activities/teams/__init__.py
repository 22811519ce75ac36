"""Reading what the agents of a team answered."""
