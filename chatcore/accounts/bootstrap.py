"""The first accounts: made by `manage.py bootstrap` for scripts, by themselves when `up` starts anew."""

from dataclasses import dataclass

from django.conf import settings
from django.db import connection, transaction

from chatcore import env
from chatcore.accounts import keys
from chatcore.accounts.actions import open_workspace
from chatcore.accounts.grants import EVERYTHING
from chatcore.accounts.links import sign_in_link
from chatcore.accounts.models import Integration, Membership, User, Workspace
from chatcore.errors import Conflict
from chatcore.llm.first_run import register_environment_providers

WORKSPACE_NAME = "Home"
KEY_NAME = "first-key"
_LOCK = 0x63686174  # of this module among Postgres's advisory locks
_CURL = """\
KEY={key}
CONVERSATION=$(curl -s {url}/api/v1/conversations/ -H "Authorization: Bearer $KEY" \\
  -H 'Content-Type: application/json' -d '{{"title": "First words"}}' \\
  | python3 -c 'import json, sys; print(json.load(sys.stdin)["id"])')
curl -s {url}/api/v1/conversations/$CONVERSATION/replies -H "Authorization: Bearer $KEY" \\
  -H 'Content-Type: application/json' -H 'Prefer: wait=25' -d '{{"content": "Hello! What can you do?"}}'
"""


class KeyNameTaken(Conflict):
    """An integration of this name acts for somebody else in the workspace. Choose another key name."""

    code = "key_name_taken"
    remedy = "Give `--key-name` a name that no integration of the workspace has."


@dataclass(frozen=True)
class Bootstrapped:
    """`key_text` is there only in the run that made the key: it is kept nowhere."""

    workspace: Workspace
    user: User
    key_text: str | None


@dataclass(frozen=True)
class FirstRun:
    """What a new owner needs to begin. No key and no example when only the link is offered again."""

    workspace: Workspace
    user: User
    sign_in_link: str
    key_text: str | None = None
    curl_example: str | None = None


def ensure(
    email: str,
    password: str | None,
    workspace_name: str,
    key_name: str | None,
    *,
    new_key: bool = False,
    staff: bool = False,
) -> Bootstrapped:
    """Make what is missing of user, workspace, membership, integration and key; safe to repeat.

    An account that exists keeps its password unless one is given. The first account of all, and one made
    with `staff`, is superuser. A key is only made with its integration, or rotated on `new_key`.
    """
    with transaction.atomic():
        _one_at_a_time()
        user = _user(email, password, staff=staff)
        workspace = _workspace(workspace_name, user)
        key_text = _key_text(workspace, user, key_name, new_key=new_key) if key_name else None
    return Bootstrapped(workspace, user, key_text)


def first_run() -> FirstRun | None:
    """For every start. Of an empty database it makes an owner, a workspace and a key; later, until somebody
    has signed in, only a fresh link for an owner without password; then None. Registers new providers.

    Not inside a transaction: asking providers for their models takes seconds.
    """
    register_environment_providers()
    with transaction.atomic():
        _one_at_a_time()
        if User.objects.exists():
            return _link_again()
        made = ensure(env.text("OWNER_EMAIL", "owner@chatcore.local"), None, WORKSPACE_NAME, KEY_NAME)
    key_text = made.key_text or ""
    return FirstRun(made.workspace, made.user, sign_in_link(made.user), key_text, curl_example(key_text))


def curl_example(key_text: str) -> str:
    """Shell lines that start a conversation and get a reply in it."""
    return _CURL.format(key=key_text, url=settings.PUBLIC_URL)


def _link_again() -> FirstRun | None:
    owner = User.objects.filter(is_superuser=True, is_active=True).order_by("pk").first()
    if owner is None or owner.has_usable_password() or User.objects.exclude(last_login=None).exists():
        return None
    membership = Membership.objects.of(owner).first()
    return FirstRun(membership.workspace, owner, sign_in_link(owner)) if membership else None


def _user(email: str, password: str | None, *, staff: bool) -> User:
    is_first = not User.objects.exists()
    try:
        user = User.objects.get_by_natural_key(email)
    except User.DoesNotExist:
        user = User.objects.create_user(email, password)
    else:
        if password is not None and not user.check_password(password):
            user.set_password(password)
            user.save(update_fields=["password"])
    if (staff or is_first) and not user.is_superuser:
        user.is_staff = user.is_superuser = True
        user.save(update_fields=["is_staff", "is_superuser"])
    return user


def _workspace(name: str, user: User) -> Workspace:
    """The user's own of this name, else the oldest of this name, which the user joins, else a new one."""
    named = Workspace.objects.filter(name=name).order_by("pk")
    own = named.filter(memberships__user=user).first()
    if own is not None:
        return own
    oldest = named.first()
    if oldest is None:
        return open_workspace(user, name)
    Membership.objects.create(user=user, workspace=oldest)
    return oldest


def _key_text(workspace: Workspace, user: User, name: str, *, new_key: bool) -> str | None:
    integration, is_new = Integration.objects.get_or_create(
        workspace=workspace, name=name, defaults={"acts_as": user, "grants": [EVERYTHING]}
    )
    if integration.acts_as != user:
        raise KeyNameTaken
    if is_new:
        return keys.mint(integration)[1]
    return keys.rotate(integration)[1] if new_key else None


def _one_at_a_time() -> None:
    """Two servers that start at once on one database must not both be first. Held until commit."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
