from django.apps import AppConfig


class ExternalConfig(AppConfig):
    name = "external"
    label = "external"

    def ready(self) -> None:
        from chatcore.accounts import authenticators, constraints
        from chatcore.accounts.integrations import ways
        from chatcore.processes.worker import register_service
        from conversations.endings import register_completed
        from conversations.outside import register_outside
        from external import events  # noqa: F401 (its frames register themselves)
        from external.authenticators.identifying import having_usable, identify, renew
        from external.provenance import came_from_outside
        from external.schedules.service import ScheduleClock
        from external.sources.opening import having_open
        from external.sources.returning import queue_replies
        from external.threads import thread_of
        from external.webhooks import tasks  # noqa: F401 (its jobs register themselves)
        from external.webhooks.service import WebhookSender

        authenticators.register("external", identify, renew)
        ways.register("authenticators", having_usable)
        ways.register("sources", having_open)
        constraints.register_threads(thread_of)
        register_outside(came_from_outside)
        register_service(ScheduleClock)
        register_service(WebhookSender)
        register_completed(queue_replies)
