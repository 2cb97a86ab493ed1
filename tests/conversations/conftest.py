"""Fixtures of the tests of conversations."""

from tests.replying import runner, scripted_provider

__all__ = ["runner", "scripted_provider"]
