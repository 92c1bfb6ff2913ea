"""Asking a server from Python: questions as values, one way of trying again, a shell that waits and one that awaits."""
