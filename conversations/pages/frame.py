"""What stands around every page: the list beside it, the reader's workspaces, where the live connection begins."""

from typing import Any

from django.utils import timezone
from django.utils.translation import gettext as _

from chatcore.accounts.models import Membership
from chatcore.realtime import cursors
from conversations.pages import listing
from conversations.pages.requests import PageRequest, wants_part


def frame(request: PageRequest) -> dict[str, Any]:
    """Call this before the page's own state is read: the cursor must not be newer than what the page shows.

    htmx exchanges the middle of the page only, so for it nothing around is read.
    """
    if wants_part(request):
        return {}
    principal = request.principal
    assert principal.user
    return {
        "cursor": cursors.encode(cursors.now()),
        "listing": listing.first_page(principal),
        "memberships": Membership.objects.of(principal.user, first=principal.workspace.pk),
    }


def greeting() -> str:
    hour = timezone.localtime().hour
    if 5 <= hour < 12:
        return _("Good morning")
    return _("Good afternoon") if 12 <= hour < 18 else _("Good evening")
