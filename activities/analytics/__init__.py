"""What model calls amount to: how many, what they cost, how long they took, who failed."""
