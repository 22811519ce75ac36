"""Running code that nobody vouches for, isolated and limited."""
