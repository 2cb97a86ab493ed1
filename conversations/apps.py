from django.apps import AppConfig


class ConversationsConfig(AppConfig):
    name = "conversations"
    label = "conversations"

    def ready(self) -> None:
        from chatcore.processes.worker import register_service
        from chatcore.usage.holders import register_running
        from conversations import (
            signals,  # noqa: F401 (its receivers register themselves)
            subscriptions,  # noqa: F401 (its frames register themselves)
        )
        from conversations.ledger import running_replies
        from conversations.runner import Runner
        from conversations.unstored import running_unstored

        register_service(Runner)
        register_running(running_replies)
        register_running(running_unstored)
