"""Writes of the accounts tables that belong to no single key, link or form."""

from django.contrib.sessions.backends.base import SessionBase
from django.db import transaction

from chatcore.accounts.models import Membership, User, Workspace
from chatcore.errors import NotFound


def open_workspace(owner: User, name: str) -> Workspace:
    """A new workspace with its first member."""
    with transaction.atomic():
        workspace = Workspace.objects.create(name=name)
        Membership.objects.create(user=owner, workspace=workspace, role=Membership.Role.OWNER)
    return workspace


def open_personal_workspace(owner: User) -> Workspace:
    """What a person who signed up starts in."""
    return open_workspace(owner, f"{owner.display_name}'s workspace"[:100])


def switch_workspace(session: SessionBase, user: User, workspace_id: str) -> None:
    """The session's pages show this workspace from now on. Raises NotFound where the user is no member."""
    memberships = {str(membership.workspace_id) for membership in Membership.objects.of(user)}
    if workspace_id not in memberships:
        raise NotFound
    session["workspace"] = workspace_id
