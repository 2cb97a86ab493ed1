"""The project's settings, with addresses for the tests of starting and stopping (process_app.py)."""

from chatcore.settings import *  # noqa: F403

ASGI_APPLICATION = "tests.chatcore.process_app.application"
