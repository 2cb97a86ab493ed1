from django.apps import AppConfig


class UsageConfig(AppConfig):
    name = "chatcore.usage"
    label = "usage"
