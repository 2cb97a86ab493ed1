from django.apps import AppConfig


class ExternalConfig(AppConfig):
    name = "external"
    label = "external"

    def ready(self) -> None:
        from chatcore.accounts import authenticators
        from chatcore.processes.worker import register_service
        from conversations.endings import register_completed
        from external.authenticators.identifying import identify
        from external.schedules.service import ScheduleClock
        from external.sources.returning import queue_reply

        authenticators.register("external", identify)
        register_service(ScheduleClock)
        register_completed(queue_reply)
