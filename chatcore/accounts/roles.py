"""Named sets of grants: what a member may do by role, and the roles an integration can start from."""

from collections.abc import Mapping

from chatcore.accounts.grants import EVERYTHING

_CONVERSING = frozenset(
    {
        "conversations:read",
        "conversations:write",
        "messages:read",
        "messages:write",
        "replies:write",
        "models:read",
        "models:use",
        "events:read",
        "webhooks:confirm",
    }
)

# Of the usage and budgets of others, owners and admins alone are told: see usage/querysets.py.
_OWN_USAGE = frozenset({"usage:read", "budgets:read"})

# What a person may do in a workspace, by the role of the membership. A role not named here may do nothing.
MEMBER_GRANTS: Mapping[str, frozenset[str]] = {
    "owner": frozenset({EVERYTHING}),
    "admin": frozenset({EVERYTHING}),
    "member": _CONVERSING | _OWN_USAGE,
    "guest": _CONVERSING | _OWN_USAGE,
}

# `agent` converses fully; `system` only tells (alerts, cron jobs); `gateway` carries a channel both ways
# (SMS, chat bridges) without choosing models, and posts for those whose handles are verified; `reader` only looks.
ROLES: Mapping[str, frozenset[str]] = {
    "agent": _CONVERSING,
    "system": frozenset({"conversations:write", "messages:write", "replies:write", "models:use"}),
    "gateway": _CONVERSING - {"models:read"} | {"users:act_as:identity"},
    "reader": frozenset({"conversations:read", "messages:read", "models:read", "events:read"}),
}
