"""Encrypted fields and secrets at rest."""
