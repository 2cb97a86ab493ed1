from importlib import import_module

from django.apps import AppConfig


class AccountsConfig(AppConfig):
    name = "chatcore.accounts"
    label = "accounts"
    verbose_name = "Workspaces and access"

    def ready(self) -> None:
        """These register themselves by being imported, and need the tables to be known."""
        for module in ("checks", "openapi", "signals"):
            import_module(f"{self.name}.{module}")
