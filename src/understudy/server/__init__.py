"""HTTP and pages: one route table, the decision route, and the clock-driven chores."""
