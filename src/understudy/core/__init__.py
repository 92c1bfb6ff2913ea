"""The nouns that everyone speaks, the task file, the ports and the errors."""
