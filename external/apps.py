from django.apps import AppConfig


class ExternalConfig(AppConfig):
    name = "external"
    label = "external"

    def ready(self) -> None:
        from chatcore.accounts import authenticators
        from chatcore.processes.worker import register_service
        from external import events  # noqa: F401 (its frames register themselves)
        from external.authenticators.identifying import identify
        from external.schedules.service import ScheduleClock
        from external.webhooks import tasks  # noqa: F401 (its jobs register themselves)
        from external.webhooks.service import WebhookSender

        authenticators.register("external", identify)
        register_service(ScheduleClock)
        register_service(WebhookSender)
