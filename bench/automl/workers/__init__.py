"""One script for each contender, run by the Python of its own environment; they share the standard library's parts."""
