"""From samples to bytes in six formats, piece by piece. Nothing here knows a voice or a request."""
