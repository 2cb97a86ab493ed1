from django.apps import AppConfig


class ExternalConfig(AppConfig):
    name = "external"
    label = "external"

    def ready(self) -> None:
        from conversations.endings import register_completed
        from external.sources.returning import queue_reply

        register_completed(queue_reply)
