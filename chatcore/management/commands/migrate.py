"""Django's `migrate`, which first brings up the embedded Postgres and of several starts lets one work."""

from typing import Any

from django.core.management.commands import migrate

from chatcore.processes import preconditions


class Command(migrate.Command):
    def handle(self, *args: Any, **options: Any) -> None:
        preconditions.embedded_postgres()
        with preconditions.alone_migrating():
            super().handle(*args, **options)
