"""Reads of the accounts tables, chainable."""

import uuid
from typing import TYPE_CHECKING, Any

from django.db.models import Case, F, FilteredRelation, Q, QuerySet, Value, When
from django.db.models.functions import Coalesce, Now

if TYPE_CHECKING:
    from chatcore.accounts.models import Key, Membership, User  # noqa: F401 (named in annotations only)


class MembershipQuerySet(QuerySet["Membership"]):
    def of(self, user: "User", *, first: uuid.UUID | None = None) -> "MembershipQuerySet":
        """With their workspaces: the one named `first`, if it is there, then the oldest membership first."""
        rank = Case(When(workspace=first, then=Value(0)), default=Value(1))
        return self.filter(user=user).select_related("workspace").order_by(rank, "joined_at", "pk")


class KeyQuerySet(QuerySet["Key"]):
    def live(self) -> "KeyQuerySet":
        """Neither revoked nor expired by the clock of the database."""
        return self.filter(Q(expires_at=None) | Q(expires_at__gt=Now()), revoked_at=None)

    def usable(self) -> "KeyQuerySet":
        """Live ones of enabled integrations whose acting user, if any, is active and still a member.

        Each row carries `role`: the acting user's in the integration's workspace, "" where there is no user.
        """
        members = "integration__workspace__memberships"
        added: dict[str, Any] = {  # named in a mapping because Key declares `role` for its readers
            "acting": FilteredRelation(
                members, condition=Q(**{f"{members}__user": F("integration__acts_as")})
            ),
            "role": Coalesce(F("acting__role"), Value("")),
        }
        able = Q(integration__acts_as__is_active=True, acting__role__isnull=False)
        return (
            self.live()
            .select_related("integration__workspace", "integration__acts_as")
            .annotate(**added)
            .filter(Q(integration__acts_as=None) | able, integration__enabled=True)
        )
