"""What people think of outputs, and how good agents, models and prompts are by it."""
