"""Fixtures of the tests of usage and budgets."""

from tests.replying import runner, scripted_provider

__all__ = ["runner", "scripted_provider"]
