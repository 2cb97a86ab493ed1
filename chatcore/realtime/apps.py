from django.apps import AppConfig


class RealtimeConfig(AppConfig):
    name = "chatcore.realtime"
    label = "realtime"

    def ready(self) -> None:
        from chatcore.accounts.signals import access_changed
        from chatcore.realtime.connections import access_changed as recheck

        access_changed.connect(recheck, dispatch_uid="realtime.recheck")
