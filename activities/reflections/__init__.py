"""From what people think of an agent's outputs to a changed prompt for it."""
