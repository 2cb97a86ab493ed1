from django.apps import AppConfig


class ExternalConfig(AppConfig):
    name = "external"
    label = "external"

    def ready(self) -> None:
        from chatcore.accounts import authenticators
        from chatcore.processes.worker import register_service
        from external.authenticators.identifying import identify
        from external.schedules.service import ScheduleClock

        authenticators.register("external", identify)
        register_service(ScheduleClock)
