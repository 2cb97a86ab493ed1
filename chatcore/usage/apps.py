from django.apps import AppConfig


class UsageConfig(AppConfig):
    name = "chatcore.usage"
    label = "usage"
    verbose_name = "Usage and budgets"
