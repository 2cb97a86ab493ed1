"""Django's `migrate`, which first brings up the embedded Postgres and of several starts lets one work."""

from typing import Any

from django.core.management.commands import migrate

from chatcore.processes import preconditions


class Command(migrate.Command):
    def execute(self, *args: Any, **options: Any) -> Any:
        """The system checks that come before `handle` ask the database too."""
        preconditions.embedded_postgres()
        return super().execute(*args, **options)

    def handle(self, *args: Any, **options: Any) -> None:
        with preconditions.alone_migrating():
            super().handle(*args, **options)
