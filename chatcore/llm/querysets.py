"""Reads of the models and their deployments."""

import re
import uuid
from typing import TYPE_CHECKING

from django.apps import apps
from django.db.models import Case, Exists, F, Manager, OuterRef, Prefetch, Q, QuerySet, Value, When
from django.db.models.functions import Length
from django.db.models.lookups import GreaterThan

from chatcore.accounts.principals import Principal

if TYPE_CHECKING:
    from chatcore.llm.models import Deployment, Fallback, Model, Provider  # noqa: F401 (named in annotations only)

DEMO = "demo"


class ProviderManager(Manager["Provider"]):
    def get_queryset(self) -> QuerySet["Provider"]:
        """Without the credential: only what calls the provider reads it, and a lost key breaks no list."""
        return super().get_queryset().defer("credential")

    def with_credential_mark(self) -> QuerySet["Provider"]:
        """Each row says by `has_credential` whether a key is stored, without decrypting it."""
        mark = {
            "has_credential": GreaterThan(Length("credential"), 0)
        }  # Provider declares it for its readers
        return self.get_queryset().annotate(**mark)


class ModelQuerySet(QuerySet["Model"]):
    def for_principal(self, principal: Principal) -> "ModelQuerySet":
        """Those the principal may choose from: enabled, reachable, meant for its role, not closed to its key."""
        return self.open_to(principal.workspace.id, principal.role).filter(_granted(principal))

    def open_to(self, workspace: uuid.UUID, role: str) -> "ModelQuerySet":
        """Those that are enabled, reachable and meant for the role, whatever a key may be limited to."""
        return (
            self.reachable()
            .filter(Q(workspace=None) | Q(workspace=workspace))
            .filter(Q(visible_to=[]) | Q(visible_to__contains=[role]))
        )

    def described(self) -> "ModelQuerySet":
        """With their fallbacks."""
        return self.prefetch_related(Prefetch("fallback_links", _links().select_related("to")))

    def reachable(self) -> "ModelQuerySet":
        """Enabled, with an enabled deployment at an enabled provider."""
        return self.filter(Exists(_enabled_deployments().filter(model=OuterRef("pk"))), enabled=True)

    def one_sees(self, model_id: uuid.UUID) -> bool:
        """Whether that model takes images, or one that may answer in its place."""
        answering = Q(pk=model_id) | Q(pk__in=_links().filter(model=model_id).values("to"))
        return self.filter(answering, supports_vision=True).exists()

    def named(self, name: str) -> "Model | None":
        """The model of that name; a workspace's own one hides the shared one."""
        return self.by_name(name).first()

    def by_name(self, name: str) -> "ModelQuerySet":
        return self.filter(name=name).order_by(F("workspace").asc(nulls_last=True))

    def default_for(self, principal: Principal) -> "Model | None":
        """What answers when nothing is chosen: the workspace's default, the shared one, or any (demo last)."""
        return self.for_principal(principal).by_preference().first()

    def by_preference(self) -> "ModelQuerySet":
        demo = Exists(_enabled_deployments().filter(model=OuterRef("pk")).exclude(provider__kind=DEMO))
        preference = Case(
            When(is_default=True, workspace__isnull=False, then=Value(0)),
            When(is_default=True, then=Value(1)),
            When(demo, then=Value(2)),
            default=Value(3),
        )
        return self.order_by(preference, "pk")


class FallbackQuerySet(QuerySet["Fallback"]):
    def within_borders(self) -> "FallbackQuerySet":
        """None crosses into a workspace: a shared model's are shared, whatever became of its rows since."""
        return self.filter(Q(to__workspace=None) | Q(to__workspace=F("model__workspace")))


class DeploymentQuerySet(QuerySet["Deployment"]):
    def usable(self) -> "DeploymentQuerySet":
        """Enabled ones of enabled models at enabled providers; none crosses from one workspace to another."""
        return self.filter(
            Q(provider__workspace=None) | Q(provider__workspace=F("model__workspace")),
            enabled=True,
            provider__enabled=True,
            model__enabled=True,
        ).select_related("provider", "model")


def _enabled_deployments() -> QuerySet["Deployment"]:
    # By its name: the tables are declared with these querysets.
    deployments: DeploymentQuerySet = apps.get_model("llm", "Deployment").objects.usable()
    return deployments


def _links() -> FallbackQuerySet:
    links: FallbackQuerySet = apps.get_model("llm", "Fallback").objects.within_borders()
    return links


def _granted(principal: Principal) -> Q:
    """A key may be limited to some models, by name or with `*`: it sees no others."""
    chosen = principal.selectors("models:use")
    if chosen is not None and not chosen:
        chosen = principal.selectors("models:read")
    if chosen is None:
        return Q()
    condition = Q(pk=None)
    for selector in chosen:
        pattern = ".*".join(re.escape(piece) for piece in selector.split("*"))
        condition |= Q(name__regex=f"^{pattern}$")
    return condition
