from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand
from django.utils.module_loading import import_string

from chatcore.realtime import documents


class Command(BaseCommand):
    help = "Write docs/events.md and docs/asyncapi.json from the catalogue of events and signals."
    requires_system_checks: tuple[str, ...] = ()

    def handle(self, *args: Any, **options: Any) -> None:  # noqa: ARG002
        import_string(settings.ASGI_APPLICATION)  # brings every door, and so every frame a client may send
        root = Path(settings.BASE_DIR)
        (root / documents.GUIDE).write_text(documents.guide())
        (root / documents.ASYNCAPI).write_text(documents.asyncapi())
