"""`opencode serve`: its configuration, its process, its calls, its events."""
