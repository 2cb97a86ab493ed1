from django.apps import AppConfig


class LlmConfig(AppConfig):
    name = "chatcore.llm"
    label = "llm"
    verbose_name = "Models and providers"

    def ready(self) -> None:
        from chatcore.llm.service import Providers
        from chatcore.processes.worker import register_service

        register_service(Providers)
