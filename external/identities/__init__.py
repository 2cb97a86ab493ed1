"""Identities: which user stands behind a telephone number, an e-mail address, a chat id."""
