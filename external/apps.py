from django.apps import AppConfig


class ExternalConfig(AppConfig):
    name = "external"
    label = "external"
