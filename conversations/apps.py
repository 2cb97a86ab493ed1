from django.apps import AppConfig


class ConversationsConfig(AppConfig):
    name = "conversations"
    label = "conversations"

    def ready(self) -> None:
        from chatcore.processes.worker import register_service
        from conversations import subscriptions  # noqa: F401 (its frames register themselves)
        from conversations.runner import Runner

        register_service(Runner)
