"""From evidence to moves, and from predictions to routes: pure policies that an auditor can read."""
