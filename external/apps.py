from django.apps import AppConfig


class ExternalConfig(AppConfig):
    name = "external"
    label = "external"

    def ready(self) -> None:
        from conversations.outside import register_outside
        from external.provenance import came_from_outside

        register_outside(came_from_outside)
