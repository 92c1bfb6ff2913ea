"""The stories: each flow asks the world, calls pure functions and appends what happened."""
