"""What a workspace's own models may ask of the providers of all workspaces, whose keys are paid for by others: what
shared models that it may choose ask there, for whom those are meant, at their price.
"""

from collections.abc import Iterable
from typing import Any

from django.db.models import Exists, OuterRef, QuerySet
from django.db.models.functions import Coalesce

from chatcore.accounts.models import Membership
from chatcore.accounts.principals import Principal
from chatcore.llm.models import Deployment, Model
from chatcore.llm.prices import Price, price_of
from chatcore.llm.querysets import ModelQuerySet
from chatcore.texts import refused


def require_offered(principal: Principal, deployment: Deployment) -> None:
    """Raises Invalid where the provider belongs to all and no shared model that the principal may choose is called
    that there, or those that are it are meant for fewer people than the deployment's model.
    """
    if deployment.provider.workspace_id is not None:
        return
    if not _offering(deployment).open_to(principal.workspace.id, principal.role).exists():
        raise refused(
            "/upstream_name",
            "must be what a shared model that you may choose is called at this provider: it belongs to all "
            "workspaces. To use others, add a provider with a key of your own",
            "not_offered",
        )
    if left_out := _left_out(deployment.model, deployment):
        raise refused(
            "/upstream_name",
            f"is not meant for {left_out} at this provider: say first in the model's `visible_to` who may choose it",
            "not_offered",
        )


def require_same_prices(deployment: Deployment, before: Any) -> None:
    """Raises Invalid for a price that a workspace would name, or take away, for the use of somebody else's key."""
    if deployment.provider.workspace_id is None and deployment.prices != before:
        left = "null" if before is None else "left as staff entered it"
        raise refused(
            "/prices", f"must be {left}: at a shared provider the shared model's price counts", "shared"
        )


def require_same_readers(model: Model) -> None:
    """Raises Invalid where the model is open to somebody to whom what it asks at a shared provider is not."""
    shared = Deployment.objects.filter(model=model, provider__workspace=None, enabled=True)
    for deployment in shared.select_related("provider").defer("provider__credential"):
        if left_out := _left_out(model, deployment):
            raise refused(
                "/visible_to",
                f"must leave out {left_out}: {deployment} is a shared model that is not meant for them",
                "not_offered",
            )


def price_of_deployment(deployment: Deployment) -> Price | None:
    """What an answer of it costs; reads its model and its provider. None: unknown."""
    provider, name = deployment.provider, deployment.upstream_name
    return price_of(_prices_of(deployment), provider.kind, provider.base_url, provider.options, name)


def _prices_of(deployment: Deployment) -> Any:
    """What the registry says an answer there costs: the deployment's word, or its model's. Of a workspace's own model
    at a shared provider it is the shared model's, or what staff entered at the deployment.
    """
    if deployment.provider.workspace_id is not None or deployment.model.workspace_id is None:
        return deployment.prices or deployment.model.prices
    said = Coalesce("prices", "model__prices")
    shared = _shared(deployment).annotate(said=said).exclude(said=None).order_by("pk")
    return shared.values_list("said", flat=True).first() or deployment.prices


def _shared(deployment: Deployment) -> QuerySet[Deployment]:
    """The deployments of shared models that ask the same of the same provider."""
    return Deployment.objects.filter(
        model__workspace=None, provider=deployment.provider_id, upstream_name=deployment.upstream_name
    )


def _offering(deployment: Deployment) -> ModelQuerySet:
    """The shared models that answer from there."""
    usable = Deployment.objects.usable().filter(pk__in=_shared(deployment).values("pk"))
    return Model.objects.filter(Exists(usable.filter(model=OuterRef("pk"))), workspace=None)


def _left_out(model: Model, deployment: Deployment) -> str:
    """The roles that may choose the model and not what it asks there, in words; "": none."""
    offered = list(_offering(deployment).values_list("visible_to", flat=True))
    meant = _roles(*offered) if offered else set()
    return ", ".join(role for role in Membership.Role.values if role in _roles(model.visible_to) - meant)


def _roles(*lists: Iterable[str]) -> set[str]:
    """All roles that one of the lists names; an empty list is everybody."""
    return set().union(*(set(each) or set(Membership.Role.values) for each in lists))
