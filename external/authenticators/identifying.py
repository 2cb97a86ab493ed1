"""Whom a request with X-Authenticator is of: what the doors ask through chatcore.accounts.authenticators."""

import hashlib
import logging
import uuid
from collections.abc import Collection, Iterable, Mapping

from django.db.models import QuerySet

from chatcore.accounts.grants import covered
from chatcore.accounts.models import Integration, Membership
from chatcore.accounts.principals import Principal
from chatcore.errors import ChatcoreError
from chatcore.security.fields import Unreadable
from external.authenticators.kinds import build
from external.authenticators.proofs import Given, Presented, Proof
from external.identities.handles import normalised
from external.models import Authenticator, Identity, UsedProof

ACTING_AS = ("jwt", "any")
log = logging.getLogger(__name__)


def identify(headers: Mapping[str, str], body: bytes | None) -> Principal | None:
    """The integration's principal, in the name of the user whom the proof vouches for, if it names one.

    Its right is what the integration is granted and that user may, together. None for whatever is wrong.
    """
    authenticator = _named(headers["x-authenticator"])
    proof = _proof(authenticator, Presented(headers, body)) if authenticator else None
    if authenticator is None or proof is None:
        return None
    integration = authenticator.integration
    member = _member(integration, proof)
    if member is None and (proof.user or integration.acts_as_id):
        return None
    if proof.once and not _is_first(authenticator, proof, body):
        return None
    authenticator.note_use()
    return _principal(integration, member, authenticator if proof.once else None)


def renew(principal: Principal) -> Principal | None:
    """What a proof that was good once is worth while its stream is open; None once somebody is out who was in."""
    usable = Authenticator.objects.usable().defer("secret")
    authenticator = usable.filter(pk=principal.proven_by, integration=principal.integration).first()
    if authenticator is None:
        return None
    integration, member = authenticator.integration, None
    if principal.user is not None:
        members = _members(integration).filter(user=principal.user)
        member = _allowed(integration, members.select_related("user").first())
        if member is None:
            return None
    return _principal(integration, member, authenticator)


def having_usable(integrations: Collection[uuid.UUID]) -> Iterable[uuid.UUID]:
    """Which of these integrations can prove themselves by an authenticator."""
    rows = Authenticator.objects.filter(enabled=True, integration__enabled=True, integration__in=integrations)
    found: Iterable[uuid.UUID] = rows.values_list("integration_id", flat=True)
    return found


def _principal(integration: Integration, member: Membership | None, once: Authenticator | None) -> Principal:
    return Principal(
        member.user if member else None,
        integration.workspace,
        integration,
        frozenset(integration.grants),
        member.role if member else "",
        credential="proof",
        proven_by=once.pk if once else None,
    )


def _named(text: str) -> Authenticator | None:
    try:
        authenticator_id = uuid.UUID(text)
    except ValueError:
        return None
    try:
        found: Authenticator | None = Authenticator.objects.usable().filter(pk=authenticator_id).first()
    except Unreadable as error:
        log.warning("authenticator %s cannot be used: %s", authenticator_id, error.detail)
        return None
    return found


def _proof(authenticator: Authenticator, presented: Presented) -> Proof | None:
    given = Given(authenticator.pk, authenticator.options, authenticator.secret)
    try:
        verifier = build(authenticator.kind, given)
    except ValueError as error:
        log.warning("authenticator %s cannot be used: %s", authenticator.pk, error)
        return None
    return verifier.verify(presented)


def _member(integration: Integration, proof: Proof) -> Membership | None:
    """In whose name it comes."""
    return _allowed(integration, _named_member(integration, proof))


def _allowed(integration: Integration, member: Membership | None) -> Membership | None:
    """To come in another's name than its own user's, the integration needs the grant for it."""
    is_own = member is None or member.user_id == integration.acts_as_id
    may_act_as = any(covered(integration.grants, "users", "act_as", way) for way in ACTING_AS)
    return member if is_own or may_act_as else None


def _named_member(integration: Integration, proof: Proof) -> Membership | None:
    members = _members(integration)
    if not proof.user.isprintable():  # what no column holds
        return None
    if proof.channel:
        members = members.filter(user__in=_verified(integration, proof))
    elif proof.user:
        members = members.filter(user__email=proof.user.lower())
    elif integration.acts_as_id:
        members = members.filter(user=integration.acts_as_id)
    else:
        return None
    return members.select_related("user").first()


def _members(integration: Integration) -> QuerySet[Membership]:
    return Membership.objects.filter(workspace=integration.workspace_id, user__is_active=True)


def _verified(integration: Integration, proof: Proof) -> list[uuid.UUID]:
    """Whose verified handle it is; nobody's where it is none."""
    policy = getattr(integration, "intake_policy", None)
    try:
        value = normalised(proof.channel, proof.user, country=policy.default_country if policy else "")
    except ChatcoreError:
        return []
    identities = Identity.objects.filter(
        workspace=integration.workspace_id, channel=proof.channel, value=value
    )
    return list(identities.verified().values_list("user", flat=True))


def _is_first(authenticator: Authenticator, proof: Proof, body: bytes | None) -> bool:
    """Where what is open asks again (no body), it has been used and is none any more: see `renew`."""
    if body is None or proof.once_until is None:
        return False
    digest = hashlib.sha256(proof.once.encode("utf-8", "surrogatepass")).hexdigest()
    return UsedProof.is_first(authenticator, digest, proof.once_until)
