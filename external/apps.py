from django.apps import AppConfig


class ExternalConfig(AppConfig):
    name = "external"
    label = "external"

    def ready(self) -> None:
        from chatcore.processes.worker import register_service
        from external.webhooks import tasks  # noqa: F401 (its jobs register themselves)
        from external.webhooks.service import WebhookSender

        register_service(WebhookSender)
