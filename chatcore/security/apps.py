from django.apps import AppConfig


class SecurityConfig(AppConfig):
    name = "chatcore.security"
    label = "security"
