from django.apps import AppConfig

from chatcore import checks, timestamps

__all__ = ["ChatcoreConfig", "checks"]


class ChatcoreConfig(AppConfig):
    """The project package itself: home of the management commands, the system checks and the jobs."""

    name = "chatcore"
    label = "chatcore"

    def ready(self) -> None:
        from chatcore import jobs  # procrastinate's app exists only now

        jobs.connect()
        timestamps.connect()
