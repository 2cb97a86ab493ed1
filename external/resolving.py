"""Whose message is it? Who is named must be one user; who is named by nothing is the integration's own.

Strategies, in the order in which they decide: `jwt` (a user's token sent along), `explicit`, `identity` (a verified
handle), registered ones (external/strategies.py), `owner` (of the named conversation), `mapped` (the user the
integration acts as), `guest` (a new one for an unknown handle). Every selector that is supplied is resolved and all
must agree: no strategy hides what another one says. docs/users.md has the whole table.
"""

import uuid
from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace

from django.db.models import Exists, Q
from django.db.models.functions import Lower

from chatcore.accounts.models import Integration, Membership, User
from chatcore.accounts.principals import Principal
from chatcore.accounts.tokens import user_of_token
from chatcore.errors import FieldProblem, Forbidden, NotFound, Unauthenticated
from chatcore.texts import checked_text
from conversations.models import Conversation, Member
from external.identities import guests
from external.identities.handles import checked_channel, normalised
from external.models.identities import Identity
from external.models.policies import STRATEGIES
from external.selectors import (
    UNPROVEN_USER,
    IdentitySelector,
    Selectors,
    StrategyDisabled,
    UserConflict,
    UserSelector,
    UserSuspended,
    UserUnresolved,
    conflict_of,
)
from external.strategies import registered

__all__ = [
    "IdentitySelector",
    "Resolved",
    "Selectors",
    "StrategyDisabled",
    "UserConflict",
    "UserSelector",
    "UserSuspended",
    "UserUnresolved",
    "resolve",
]

ANYBODY = "any"  # the grant users:act_as:any stands for every other way to act as somebody


@dataclass(frozen=True)
class Resolved:
    """Whose it is, which strategy decided, and who acts: the key's grants and that user's role together."""

    user: User
    strategy: str
    principal: Principal
    provisioned: bool = False


@dataclass(frozen=True)
class _Found:
    user: User
    role: str


@dataclass(frozen=True)
class _Question:
    principal: Principal
    selectors: Selectors
    enabled: frozenset[str]
    country: str

    @property
    def own(self) -> _Found | None:
        """The user the integration is mapped to, whom it may always name."""
        user = self.principal.user
        return _Found(user, self.principal.role) if user else None

    def may_act_as(self, way: str) -> bool:
        return self.principal.may("users:act_as", way) or self.principal.may("users:act_as", ANYBODY)

    def require(self, strategy: str, way: str) -> None:
        if strategy not in self.enabled:
            raise StrategyDisabled
        if not self.may_act_as(way):
            raise Forbidden(f"This needs the grant users:act_as:{way}.")


def resolve(
    principal: Principal, selectors: Selectors, *, strategies: Collection[str] | None = None
) -> Resolved:
    """The user of a message by its integration, in the caller's transaction. A guest may be made.

    `strategies` are those of the integration's policy unless given. Raises Unauthenticated for a token that does not
    hold, Forbidden for a way that is not granted or enabled and for a suspended user, NotFound for a user or a
    conversation that is not to be seen, UserConflict, UserUnresolved, and Invalid for a handle that is none.
    """
    question = _ask(principal, selectors, strategies)
    named = dict(_named(question))
    if len({found.user.pk for found in named.values()}) > 1:
        raise conflict_of(selectors)
    if selectors.identity is not None and "identity" not in named:
        return _of_guest(question, is_alone=not named and selectors.conversation is None)
    if not named:
        named = dict([_unnamed(question)])
    elif selectors.conversation is not None:
        _check_reader(question, next(iter(named.values())))
    strategy, found = next(iter(named.items()))
    return _resolved(question, strategy, found)


def _ask(principal: Principal, selectors: Selectors, strategies: Collection[str] | None) -> _Question:
    integration: Integration | None = principal.integration
    if integration is None:
        raise Forbidden("Only integrations post for others. Use the key of one.")
    policy = getattr(integration, "intake_policy", None)
    usual = policy.strategies if policy else STRATEGIES
    enabled = frozenset(usual if strategies is None else strategies)
    return _Question(principal, selectors, enabled, policy.default_country if policy else "")


def _named(question: _Question) -> Iterator[tuple[str, _Found]]:
    """Who is named, by each way in which somebody is."""
    selectors = question.selectors
    if selectors.token is not None:
        yield "jwt", _of_token(question, selectors.token)
    if selectors.user is not None:
        yield "explicit", _of_user(question, selectors.user)
    if selectors.identity is not None and (found := _of_identity(question, selectors.identity)):
        yield "identity", found
    for strategy in registered():
        if strategy.name in question.enabled and question.may_act_as(strategy.name):
            user = strategy.find(question.principal, selectors)
            if user is not None:
                yield strategy.name, _member(question.principal, Q(user=user))


def _of_token(question: _Question, token: str) -> _Found:
    found = user_of_token(token)
    if found is None or not found[0].is_active:
        raise Unauthenticated(UNPROVEN_USER)
    if question.own and question.own.user == found[0] and "jwt" in question.enabled:
        return question.own
    question.require("jwt", "jwt")
    return _member(question.principal, Q(user=found[0]))


def _of_user(question: _Question, wanted: UserSelector) -> _Found:
    texts = {
        name: checked_text(value, f"/user/{name}", limit=254).strip().lower()
        for name, value in (("email", wanted.email), ("username", wanted.username))
        if value is not None
    }
    if wanted.id is None and not texts:
        raise UserUnresolved("user names nobody.", errors=[FieldProblem("/user", "names nobody", "empty")])
    if question.own and "explicit" in question.enabled and _is_wholly(question.own.user, wanted.id, texts):
        return question.own
    question.require("explicit", ANYBODY)
    return _member_by(question, wanted.id, texts)


def _is_wholly(user: User, user_id: uuid.UUID | None, texts: dict[str, str]) -> bool:
    return user_id in (None, user.pk) and all(text == user.email.lower() for text in texts.values())


def _member_by(question: _Question, user_id: uuid.UUID | None, texts: dict[str, str]) -> _Found:
    """One query, whether nobody is there, somebody of another workspace, or a member."""
    rows = (
        Membership.objects.filter(workspace=question.principal.workspace)
        .alias(address=Lower("user__email"))
        .filter(Q(user=user_id) | Q(address__in=texts.values()))
        .select_related("user")
    )
    members = list(rows)
    by_id = [member for member in members if member.user_id == user_id]
    found = [
        next((member for member in members if member.user.email.lower() == text), None)
        for text in texts.values()
    ]
    if user_id is not None:
        found += [by_id[0] if by_id else None]
    there = [member for member in found if member is not None]
    if len(there) < len(found):
        raise NotFound("The user that is named is not in this workspace.")
    if len({member.pk for member in there}) > 1:
        raise conflict_of(question.selectors)
    return _Found(there[0].user, there[0].role)


def _of_identity(question: _Question, wanted: IdentitySelector) -> _Found | None:
    question.require("identity", "identity")
    channel, value = _handle(question, wanted)
    return _verified(question.principal, channel, value)


def _verified(principal: Principal, channel: str, value: str) -> _Found | None:
    identity = (
        Identity.objects.for_principal(principal).verified().filter(channel=channel, value=value).first()
    )
    return _member(principal, Q(user=identity.user_id)) if identity else None


def _handle(question: _Question, wanted: IdentitySelector) -> tuple[str, str]:
    channel = checked_channel(wanted.channel, "/identity/channel")
    return channel, normalised(channel, wanted.value, country=question.country, pointer="/identity/value")


def _of_guest(question: _Question, *, is_alone: bool) -> Resolved:
    """For a handle that is verified for nobody. A guest is in no conversation and is nobody who is named."""
    assert question.selectors.identity
    channel, value = _handle(question, question.selectors.identity)
    granted = "guest" in question.enabled and question.principal.may("users:provision")
    if not (granted and is_alone) or guests.is_of_member(question.principal, channel, value):
        detail = f"Nobody here has a verified identity {value!r} on {channel!r}."
        raise UserUnresolved(detail, errors=[FieldProblem("/identity", detail, "unknown")])
    user, provisioned = guests.provision(question.principal, channel, value)
    found = _member(question.principal, Q(user=user))
    strategy = "guest" if provisioned else "identity"
    return replace(_resolved(question, strategy, found), provisioned=provisioned)


def _unnamed(question: _Question) -> tuple[str, _Found]:
    if question.selectors.conversation is not None:
        return _of_conversation(question)
    if question.own and "mapped" in question.enabled:
        return "mapped", question.own
    raise UserUnresolved("The message names no user, and its integration acts for none.")


def _of_conversation(question: _Question) -> tuple[str, _Found]:
    """Its owner where the key may act as that one, else the mapped user who reads it."""
    own = question.own
    owner_id, is_reader = _conversation(question, own)
    if "owner" in question.enabled and own and own.user.pk == owner_id:
        return "owner", own
    if _may_be_owner(question):
        return "owner", _member(question.principal, Q(user=owner_id))
    if own and is_reader and "mapped" in question.enabled:
        return "mapped", own
    raise NotFound


def _check_reader(question: _Question, found: _Found) -> None:
    """Raises UserConflict only to those who may know that the conversation is there."""
    if not _conversation(question, found)[1]:
        raise conflict_of(question.selectors) if _may_be_owner(question) else NotFound


def _conversation(question: _Question, reader: _Found | None) -> tuple[uuid.UUID, bool]:
    """Who owns the named conversation, and whether `reader` is in it. Raises NotFound. One query."""
    principal, wanted = question.principal, question.selectors.conversation
    assert wanted
    allowed = principal.selectors("messages:write")
    if allowed is not None and str(wanted) not in allowed:
        raise NotFound
    members = Member.objects.filter(conversation=wanted, user=reader.user if reader else None)
    rows = Conversation.objects.filter(workspace=principal.workspace, id=wanted)
    row = rows.annotate(reads=Exists(members)).values_list("owner_id", "reads").first()
    if row is None:
        raise NotFound
    owner_id, reads = row
    return owner_id, reads


def _may_be_owner(question: _Question) -> bool:
    """Of a conversation that is not the mapped user's: as anybody, or by a grant for this very conversation."""
    principal = question.principal
    if "owner" not in question.enabled:
        return False
    by_name = principal.user is None and principal.selectors("messages:write") is not None
    return by_name or question.may_act_as(ANYBODY)


def _member(principal: Principal, who: Q) -> _Found:
    member = Membership.objects.filter(who, workspace=principal.workspace).select_related("user").first()
    if member is None:
        raise NotFound
    return _Found(member.user, member.role)


def _resolved(question: _Question, strategy: str, found: _Found) -> Resolved:
    if not found.user.is_active:
        raise UserSuspended
    acting = replace(question.principal, user=found.user, role=found.role)
    return Resolved(found.user, strategy, acting)
