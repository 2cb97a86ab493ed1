"""Schedules: messages that an integration posts by the clock."""
