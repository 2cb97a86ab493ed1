"""Integrations as those who act: what adapters and schedules post with, having no key."""

from chatcore.accounts.models import Integration, Membership
from chatcore.accounts.principals import Principal
from chatcore.errors import Forbidden


class IntegrationOff(Forbidden):
    """This integration is switched off."""

    code = "integration_off"
    remedy = "Let an owner or admin switch the integration on again."


def principal_of_integration(integration: Integration) -> Principal:
    """What one of its keys would be. Raises IntegrationOff."""
    if not integration.enabled:
        raise IntegrationOff
    members = Membership.objects.filter(user=integration.acts_as_id, workspace=integration.workspace_id)
    role = members.values_list("role", flat=True).first() if integration.acts_as_id else None
    acts_as = integration.acts_as
    if acts_as is not None and (role is None or not acts_as.is_active):
        raise IntegrationOff("The user this integration acts for is no active member of its workspace.")
    return Principal(
        acts_as,
        integration.workspace,
        integration,
        frozenset(integration.grants),
        role or "",
        credential="key",
    )
