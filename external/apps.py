from django.apps import AppConfig


class ExternalConfig(AppConfig):
    name = "external"
    label = "external"

    def ready(self) -> None:
        from chatcore.accounts import authenticators, constraints
        from chatcore.processes.worker import register_service
        from conversations.endings import register_completed
        from external.authenticators.identifying import identify
        from external.schedules.service import ScheduleClock
        from external.sources.returning import queue_reply
        from external.threads import thread_of

        authenticators.register("external", identify)
        constraints.register_threads(thread_of)
        register_service(ScheduleClock)
        register_completed(queue_reply)
