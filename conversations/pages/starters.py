"""What a new chat offers to begin with: texts to finish or to send as they are."""

from dataclasses import dataclass

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _


@dataclass(frozen=True)
class Starter:
    icon: str
    title: "str | Promise"
    text: "str | Promise"

    @property
    def hint(self) -> str:
        """Its first line, which its card shows."""
        return str(self.text).partition("\n")[0].rstrip(":")


STARTERS = (
    Starter(
        "pen",
        _("Draft a message"),
        _("Write a short, friendly e-mail that asks a supplier when our order will arrive."),
    ),
    Starter(
        "code",
        _("Review some code"),
        _("Find the mistakes in this code and show me a corrected version:\n\n```\n\n```\n"),
    ),
    Starter(
        "columns",
        _("Compare two options"),
        _("Compare Postgres and SQLite for a small web application: first a table, then your advice."),
    ),
    Starter(
        "bulb",
        _("Explain something"),
        _("Explain step by step how HTTPS keeps a connection private, for somebody who programs a little."),
    ),
)
