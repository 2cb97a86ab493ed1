from django.apps import AppConfig


class LlmConfig(AppConfig):
    name = "chatcore.llm"
    label = "llm"
