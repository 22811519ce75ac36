"""Settings and the composition root: which backends serve which task queues in which process."""
