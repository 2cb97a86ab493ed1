from django.apps import AppConfig


class ExternalConfig(AppConfig):
    name = "external"
    label = "external"

    def ready(self) -> None:
        from chatcore.accounts import authenticators
        from external.authenticators.identifying import identify

        authenticators.register("external", identify)
