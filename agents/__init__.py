"""Agentic context: agents as participants of conversations."""
