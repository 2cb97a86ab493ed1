"""Sources: a vendor's messages come in by their addresses, and replies go back."""
