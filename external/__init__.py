"""External-message intake: outside systems as authors of messages."""
