from django.apps import AppConfig


class ExternalConfig(AppConfig):
    name = "external"
    label = "external"

    def ready(self) -> None:
        from chatcore.processes.worker import register_service
        from external.schedules.service import ScheduleClock

        register_service(ScheduleClock)
