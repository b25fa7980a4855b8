"""What changed: statistics, objects and what could not have been seen. Pure functions of arrays."""
