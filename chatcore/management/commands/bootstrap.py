"""A user, a workspace and a key for scripts and tests, by chatcore.accounts.bootstrap."""

import json
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.core.validators import validate_email

from chatcore.accounts.bootstrap import Bootstrapped, ensure
from chatcore.errors import ChatcoreError
from chatcore.llm.first_run import register_environment_providers
from chatcore.processes import preconditions


class Command(BaseCommand):
    help = (
        "Make what is missing of tables, a user, a workspace, a key and the environment's providers. "
        "Safe to repeat; the key is shown only by "
        "the run that makes it, later runs say null unless --new-key rotates it (the old one lives 24 h on)."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--email", required=True)
        parser.add_argument("--password", help="Kept as it is when left out; a new account then has none.")
        parser.add_argument("--workspace", required=True, help="Its name. Joined when it exists.")
        parser.add_argument("--key-name", help="Name of the integration the key belongs to.")
        parser.add_argument("--new-key", action="store_true", help="Rotate the key when it exists.")
        parser.add_argument("--staff", action="store_true", help="Make the account superuser.")
        parser.add_argument("--json", action="store_true", help="Print JSON: workspace, user, key.")

    def execute(self, *args: Any, **options: Any) -> Any:
        """The system checks that come before `handle` ask the database too."""
        preconditions.usable_database()
        return super().execute(*args, **options)

    def handle(self, *args: Any, **options: Any) -> None:  # noqa: ARG002
        try:
            validate_email(options["email"])
            made = ensure(
                options["email"],
                options["password"],
                options["workspace"],
                options["key_name"],
                new_key=options["new_key"],
                staff=options["staff"],
            )
            register_environment_providers()
        except ValidationError as error:
            raise CommandError(" ".join(error.messages)) from None
        except ChatcoreError as error:
            raise CommandError(error.detail) from None
        lines = _as_lines(made, with_key=bool(options["key_name"]))
        self.stdout.write(json.dumps(_as_json(made)) if options["json"] else lines)


def _as_json(made: Bootstrapped) -> dict[str, Any]:
    return {
        "workspace": {"id": str(made.workspace.pk), "name": made.workspace.name},
        "user": {"id": str(made.user.pk), "email": made.user.email},
        "key": made.key_text,
    }


def _as_lines(made: Bootstrapped, *, with_key: bool) -> str:
    lines = f"workspace  {made.workspace.name} ({made.workspace.pk})\nuser       {made.user.email}"
    key = made.key_text or "not shown again (use --new-key to rotate it)"
    return f"{lines}\nkey        {key}" if with_key else lines
