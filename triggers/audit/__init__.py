"""Is what stands in the tables what follows from the log? A replay, and a set difference."""
