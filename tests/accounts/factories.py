"""Users, workspaces, memberships and integrations for tests, as plain functions."""

from itertools import count

from chatcore.accounts import keys
from chatcore.accounts.grants import EVERYTHING
from chatcore.accounts.models import Integration, Membership, User, Workspace

PASSWORD = "correct-horse-battery"
_numbers = count(1)


def make_workspace(name: str = "") -> Workspace:
    return Workspace.objects.create(name=name or f"Workspace {next(_numbers)}")


def make_user(email: str = "", *, password: str | None = None, **fields: object) -> User:
    return User.objects.create_user(email or f"user{next(_numbers)}@example.com", password, **fields)


def make_member(workspace: Workspace | None = None, role: str = "member", **fields: object) -> User:
    user = make_user(**fields)  # type: ignore[arg-type]
    Membership.objects.create(user=user, workspace=workspace or make_workspace(), role=role)
    return user


def make_integration(
    workspace: Workspace | None = None,
    *,
    acts_as: User | None = None,
    grants: tuple[str, ...] = (EVERYTHING,),
    **fields: object,
) -> Integration:
    if workspace is None:
        workspace = Workspace.objects.filter(memberships__user=acts_as).first() or make_workspace()
    name = f"Integration {next(_numbers)}"
    return Integration.objects.create(
        workspace=workspace, name=name, acts_as=acts_as, grants=list(grants), **fields
    )


def make_key_text(acts_as: User | None = None, *grants: str) -> str:
    """The text of a key that acts for a new owner unless a user is given."""
    acts_as = acts_as or make_member(role="owner")
    return keys.mint(make_integration(acts_as=acts_as, grants=grants or (EVERYTHING,)))[1]
