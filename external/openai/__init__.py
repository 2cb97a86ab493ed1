"""Chat completions as OpenAI's clients ask for them, answered by the one path and kept in conversations."""
