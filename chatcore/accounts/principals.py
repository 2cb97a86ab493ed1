"""Who is asking and what may they do: decided once, at the door, by `identify`, the same for every door."""

import uuid
from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from django.contrib.auth.models import AnonymousUser
from django.contrib.sessions.backends.base import SessionBase

from chatcore.accounts import constraints, keys, tokens
from chatcore.accounts import grants as grant_texts
from chatcore.accounts.models import Integration, Membership, User, Workspace
from chatcore.accounts.roles import MEMBER_GRANTS
from chatcore.errors import Forbidden, NotFound, Unauthenticated
from chatcore.security.addresses import is_within
from chatcore.security.limits import Rates

Credential = Literal["session", "token", "key", "proof"]
SYSTEM = "system"  # the author of what nobody in particular does


class NoWorkspace(Forbidden):
    """You belong to no workspace. Ask an owner of one to add you."""

    code = "no_workspace"
    remedy = "Let an owner or admin of a workspace add you, or name another workspace in X-Workspace."


class AddressNotAllowed(Forbidden):
    """The key is good, but it may not be used from this address."""

    code = "address_not_allowed"
    remedy = (
        "Send from one of the integration's `allowed_addresses`, or let an owner or admin add yours. "
        "Behind a proxy, the server has to name it in TRUSTED_PROXIES."
    )


@dataclass(frozen=True)
class Principal:
    """Who asks, in which workspace. A key's right is its grants and its acting user's role together.

    `role` is the user's in the workspace; it is empty only for a key that acts for nobody. `rates` is what the last
    charge left of its rate limits, by the window's name: see security/limits.py. `proven_by` names what judged a proof
    that is good once, and therefore cannot be shown again.
    """

    user: User | None
    workspace: Workspace
    integration: Integration | None
    grants: frozenset[str]
    role: str
    credential: Credential = "session"
    key_id: uuid.UUID | None = None
    proven_by: uuid.UUID | None = None
    rates: Rates = field(default_factory=dict, compare=False, repr=False)

    def may(self, grant: str, selector: str = "") -> bool:
        """`may("messages:write")`, `may("models:use", name)`. Without a selector: all of the resource."""
        resource, _, action = grant.partition(":")
        action, _, named = action.partition(":")
        asked = (resource, action, selector or named)
        return grant_texts.covered(self.grants, *asked) and grant_texts.covered(self._user_grants, *asked)

    def require(self, grant: str, selector: str = "") -> None:
        if not self.may(grant, selector):
            missing = f"{grant}:{selector}" if selector else grant
            raise Forbidden(f"This needs the grant {missing}.")

    def require_any(self, grant: str) -> None:
        """At least one of the resource: which one, the query decides."""
        if self.selectors(grant) == frozenset():
            raise Forbidden(f"This needs the grant {grant}.")

    def selectors(self, grant: str) -> frozenset[str] | None:
        """Which ones of a resource are granted one by one: None is every one, an empty set none."""
        resource, _, action = grant.partition(":")
        if not grant_texts.covered(self._user_grants, resource, action):
            return frozenset()
        return grant_texts.selectors(self.grants, resource, action)

    def check_constraints(
        self,
        *,
        model: str | None = None,
        conversation: constraints.Named | None = None,
        thread: str | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> None:
        """Raises ConstraintViolated, with the pointer, for the first of these that its integration is not allowed.

        What is None is not looked at; a `thread` of "" is a new conversation that belongs to no thread.
        """
        if self.integration is not None and self.integration.constraints:
            constraints.check(
                self.integration.constraints,
                self.integration.id,
                model=model,
                conversation=conversation,
                thread=thread,
                metadata=metadata,
            )

    def may_use_model(self, name: str) -> bool:
        """Whether both its grants and the limits of its integration allow the model of this name."""
        try:
            self.check_constraints(model=name)
        except constraints.ConstraintViolated:
            return False
        return self.may("models:use", name)

    @property
    def person(self) -> User | None:
        """The user who acts in person; None where an integration does, even if it acts for one."""
        return self.user if self.integration is None else None

    @property
    def author(self) -> str:
        """Who it is in events and receipts: `user:<id>` or `integration:<id>`."""
        if self.integration is not None:
            return f"integration:{self.integration.id}"
        return f"user:{self.user.id}" if self.user else SYSTEM

    @property
    def asker(self) -> Hashable:
        """Equal for those who say what they say as the same author, and may do the same."""
        user = self.user and self.user.pk
        return self.workspace.pk, self.author, user, self.role, self.key_id, self.grants

    @property
    def author_name(self) -> str:
        if self.integration is not None:
            return self.integration.name
        return self.user.display_name if self.user else ""

    @property
    def _user_grants(self) -> frozenset[str]:
        if self.user is None and self.integration is not None:
            return frozenset({grant_texts.EVERYTHING})
        return MEMBER_GRANTS.get(self.role, frozenset())


def identify(
    *,
    authorization: str | None = None,
    api_key: str | None = None,
    session: SessionBase | None = None,
    user: AnonymousUser | User | None = None,
    workspace: str | None = None,
    address: str = "",
) -> Principal | None:
    """The principal behind a request's credentials; None where it carries none. Uses the database.

    `authorization` and `api_key` are the headers of that name, `workspace` is X-Workspace, `address` is the
    client's. A header wins over the session, which browsers send along unasked. Raises Unauthenticated for
    credentials that do not hold, with one message for every reason, AddressNotAllowed for a good key from
    elsewhere, and NotFound for a workspace that is not the asker's.
    """
    bearer = _bearer(authorization)
    if bearer is None and api_key is None:
        return _of_session(session, user, workspace)
    if bearer is None or keys.looks_like_key(bearer):
        if bearer is not None and api_key is not None and bearer != api_key:
            raise Unauthenticated
        return _of_key(bearer or api_key or "", workspace, address)
    asking = _token_user(bearer)
    if api_key is None:
        return _of_user(asking, workspace, "token")
    principal = _of_key(api_key, workspace, address)
    if principal.user != asking:
        raise Unauthenticated
    return principal


def asker(workspace: uuid.UUID, user: uuid.UUID | None, integration: uuid.UUID | None) -> Principal | None:
    """Who asked for something earlier, with the rights they have by now; None where they may ask no more."""
    members = Membership.objects.filter(workspace=workspace, user=user, user__is_active=True)
    member = members.select_related("user", "workspace").first() if user else None
    machines = Integration.objects.filter(workspace=workspace, enabled=True).select_related("workspace")
    machine = machines.filter(pk=integration).first() if integration else None
    if (user and member is None) or (integration and machine is None) or not (member or machine):
        return None
    role = member.role if member else ""
    return Principal(
        member.user if member else None,
        (member or machine).workspace,  # type: ignore[union-attr] # one of them is there
        machine,
        frozenset(machine.grants) if machine else MEMBER_GRANTS.get(role, frozenset()),
        role,
        credential="key" if machine else "session",
    )


def _bearer(authorization: str | None) -> str | None:
    """The text after `Bearer`. Another scheme belongs to something in front of us and is not looked at."""
    scheme, _, text = (authorization or "").strip().partition(" ")
    return text.strip() if scheme.lower() == "bearer" else None


def _of_session(
    session: SessionBase | None, user: AnonymousUser | User | None, workspace: str | None
) -> Principal | None:
    if user is None or not user.is_authenticated:
        return None
    if not user.is_active:
        raise Unauthenticated
    current = session.get("workspace") if session is not None else None
    return _of_user(user, workspace, "session", current=_uuid(current))


def _token_user(token: str) -> User:
    found = tokens.user_of_token(token)
    if found is None or not found[0].is_active:
        raise Unauthenticated
    return found[0]


def _of_user(
    user: User, workspace: str | None, credential: Credential, *, current: uuid.UUID | None = None
) -> Principal:
    named = _uuid(workspace) if workspace is not None else None
    membership = Membership.objects.of(user, first=named or current).first()
    if membership is None:
        raise NotFound if workspace is not None else NoWorkspace
    if workspace is not None and membership.workspace_id != named:
        raise NotFound
    role = membership.role
    return Principal(
        user, membership.workspace, None, MEMBER_GRANTS.get(role, frozenset()), role, credential=credential
    )


def require_address(integration: Integration | None, address: str) -> None:
    """Raises AddressNotAllowed where the integration may not be used from this address."""
    if integration is None or not integration.allowed_addresses:
        return
    if not is_within(address, integration.allowed_addresses):
        seen = f"from {address}" if address else "from an address that nobody knows"
        raise AddressNotAllowed(
            f"Your request came {seen}, which is none of the integration's allowed_addresses. Send from one of them, "
            "or let an owner or admin add yours; if this is a proxy's address, name it in TRUSTED_PROXIES."
        )


def _of_key(text: str, workspace: str | None, address: str) -> Principal:
    key = keys.find(text)
    if key is None:
        raise Unauthenticated
    integration = key.integration
    require_address(integration, address)
    if workspace is not None and _uuid(workspace) != integration.workspace_id:
        raise NotFound
    keys.note_use(key)
    return Principal(
        integration.acts_as,
        integration.workspace,
        integration,
        frozenset(integration.grants),
        key.role,
        credential="key",
        key_id=key.pk,
    )


def _uuid(text: object) -> uuid.UUID | None:
    try:
        return uuid.UUID(str(text))
    except ValueError:
        return None
