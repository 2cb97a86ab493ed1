"""What somebody may hand out: never more than they have themselves."""

from collections.abc import Mapping, Sequence
from ipaddress import ip_network
from typing import Any
from uuid import UUID

from chatcore.accounts import grants as grant_texts
from chatcore.accounts.principals import Principal
from chatcore.errors import FieldProblem, Forbidden
from chatcore.problems import pointer_to

LISTS = ("models", "conversations", "threads")
NUMBERS = ("requests_per_minute", "concurrency", "tokens_per_day", "money_per_day")


class BeyondReach(Forbidden):
    """You cannot give an integration what you do not have yourself."""

    code = "beyond_reach"
    remedy = "Leave out what `detail` names, or ask somebody who has it."


class ActsForAnother(Forbidden):
    """This integration acts for somebody else, whose conversations its key would open.

    Only they make its keys. Let it act for you or for nobody first: then it sees their conversations no more.
    """

    code = "acts_for_another"
    remedy = "Let it act for you or for nobody, or let the person it acts for make its keys."


def require_grants(principal: Principal, grants: Sequence[str]) -> None:
    for number, text in enumerate(grants):
        grant = grant_texts.parse(text)
        selector = "" if grant is None or grant.selector == grant_texts.ANY else grant.selector
        if grant is None or not principal.may(f"{grant.resource}:{grant.action}", selector):
            raise _beyond(pointer_to("grants", number), f"You do not have the grant {text} yourself.")


def require_acting_user(principal: Principal, user_id: UUID | None) -> None:
    """Nobody speaks for somebody else: the integration is its maker's, or nobody's."""
    if user_id is not None and (principal.user is None or principal.user.id != user_id):
        raise _beyond("/acts_as", "An integration can act for you or for nobody.")


def require_addresses(principal: Principal, networks: Sequence[str]) -> None:
    own = principal.integration.allowed_addresses if principal.integration else []
    if own and not (networks and all(_is_inside(network, own) for network in networks)):
        detail = "Your own key may only come from some networks: name some of those."
        raise _beyond("/allowed_addresses", detail)


def require_constraints(
    principal: Principal, constraints: Mapping[str, Any], own_amounts: Mapping[str, Any]
) -> None:
    """Each of the principal's own constraints must be there, and be no wider."""
    if principal.integration is None:
        return
    for name, own in {**principal.integration.constraints, **own_amounts}.items():
        wanted = constraints.get(name)
        if wanted is None or not _is_narrower(name, wanted, own):
            raise _beyond(pointer_to("constraints", name), f"Your own key is held to {name}: {own}.")


def require_keys(principal: Principal, acts_as_id: UUID | None) -> None:
    """Whether the principal may hold a key that acts for this user."""
    if acts_as_id is not None and (principal.user is None or principal.user.id != acts_as_id):
        raise ActsForAnother


def _is_narrower(name: str, wanted: Any, own: Any) -> bool:
    if name in LISTS:
        return {str(each) for each in wanted} <= {str(each) for each in own}
    if name in NUMBERS:
        return float(wanted) <= float(own)
    return bool(wanted == own)


def _is_inside(network: str, own: Sequence[str]) -> bool:
    inner = ip_network(network)
    return any(
        inner.version == outer.version and inner.subnet_of(outer)  # type: ignore[arg-type]
        for outer in map(ip_network, own)
    )


def _beyond(pointer: str, detail: str) -> BeyondReach:
    return BeyondReach(detail, errors=[FieldProblem(pointer, detail, BeyondReach.code)])
