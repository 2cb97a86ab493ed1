"""Tables of the registry: providers, models, deployments. A row without workspace is everybody's."""

from typing import Any, ClassVar

from django.contrib.postgres.fields import ArrayField
from django.core.exceptions import ValidationError
from django.core.validators import MinValueValidator
from django.db import models

from chatcore.accounts.models import Membership, Workspace
from chatcore.errors import Invalid
from chatcore.ids import uuid7
from chatcore.llm import (
    parameters,
    price_entries,
    traffic,  # noqa: F401 (further tables)
)
from chatcore.llm.kinds import kinds
from chatcore.llm.providers import ProviderSettings, address_problem
from chatcore.llm.querysets import DeploymentQuerySet, ModelQuerySet, ProviderManager
from chatcore.security.fields import EncryptedTextField

# In `options`: the environment variable the credential came from and follows (see first_run.py).
FROM_ENVIRONMENT = "environment"


def _workspace() -> "models.ForeignKey[Workspace | None, Workspace | None]":
    return models.ForeignKey(
        Workspace,
        on_delete=models.CASCADE,
        null=True,
        blank=True,
        related_name="+",
        help_text="Whose it is; empty is everybody's.",
    )


class Provider(models.Model):
    """An LLM service account: where it is and what opens it. `kind` names the class that speaks to it."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    workspace = _workspace()
    kind = models.CharField(max_length=50)
    name = models.CharField(max_length=100)
    base_url = models.CharField(
        "address", max_length=500, blank=True, help_text="With its version, e.g. https://api.example.com/v1"
    )
    credential = EncryptedTextField(blank=True, default="")
    options = models.JSONField(default=dict, blank=True)
    enabled = models.BooleanField(default=True)
    created_at = models.DateTimeField(auto_now_add=True)
    # Also the version under which processes keep their connection to it: see instances.py.
    updated_at = models.DateTimeField(auto_now=True)

    has_credential: bool  # where `with_credential_mark` read it

    objects: ClassVar[ProviderManager] = ProviderManager()

    class Meta:
        ordering = ["name"]
        constraints = [
            models.UniqueConstraint(
                fields=["workspace", "name"], name="provider_name_unique", nulls_distinct=False
            ),
        ]

    def __str__(self) -> str:
        return self.name

    def clean(self) -> None:
        problem = address_problem(self.base_url) if self.base_url else ""
        if problem:
            raise ValidationError({"base_url": problem})
        provider_class = kinds().get(self.kind)
        if provider_class is None:
            raise ValidationError({"kind": f"One of: {', '.join(kinds())}."})
        if not isinstance(self.options, dict):
            raise ValidationError({"options": "Options are an object: {…}."})
        unknown = self.options.keys() - provider_class.OPTIONS.keys() - {FROM_ENVIRONMENT}
        if unknown:
            raise ValidationError({"options": f"Not an option here: {', '.join(sorted(unknown))}."})

    def settings(self) -> ProviderSettings:
        return ProviderSettings(self.kind, self.base_url, self.credential, self.options)


class Model(models.Model):
    """The name a person picks. It answers through its deployments, or else through its fallbacks."""

    class Strategy(models.TextChoices):
        """How deployments of one priority are ordered; what comes out equal is drawn by weight."""

        WEIGHTED = "weighted", "Weighted: each in proportion to its weight"
        LEAST_BUSY = "least_busy", "Least busy: fewest answers under way"
        LOWEST_LATENCY = "lowest_latency", "Lowest latency: shortest median time to the first token"
        CHEAPEST = "cheapest", "Cheapest: an unknown price comes last"

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    workspace = _workspace()
    name = models.CharField(max_length=150, help_text="What API clients call it.")
    label = models.CharField(max_length=150, help_text="What people read.")
    context_window = models.PositiveIntegerField(null=True, blank=True, help_text="Tokens; empty is unknown.")
    max_output = models.PositiveIntegerField(null=True, blank=True, help_text="Tokens; empty is unknown.")
    supports_vision = models.BooleanField(default=False)
    supports_tools = models.BooleanField(default=False)
    supports_reasoning = models.BooleanField(default=False)
    supports_json = models.BooleanField(default=False)
    prices = models.JSONField(
        null=True,
        blank=True,
        help_text='Per million tokens: {"currency": "USD", "input": 1.25, "output": 10, "cached": 0.1}. '
        "Empty is unknown, which is not free.",
    )
    default_params = models.JSONField(default=dict, blank=True)
    strategy = models.CharField(
        max_length=20,
        choices=Strategy.choices,
        default=Strategy.WEIGHTED,
        db_default=Strategy.WEIGHTED,
        help_text="Which of its deployments of one priority is asked first.",
    )
    visible_to = ArrayField(
        models.CharField(max_length=10, choices=Membership.Role.choices),
        default=list,
        blank=True,
        help_text="Roles that may choose it, with commas; empty is everybody.",
    )
    fallbacks: "models.ManyToManyField[Model, Fallback]" = models.ManyToManyField(
        "self", through="Fallback", through_fields=("model", "to"), symmetrical=False, related_name="+"
    )
    enabled = models.BooleanField(default=True)
    is_default = models.BooleanField(default=False)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    objects: ClassVar[ModelQuerySet] = ModelQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        ordering = ["label", "name"]
        constraints = [
            models.UniqueConstraint(
                fields=["workspace", "name"], name="model_name_unique", nulls_distinct=False
            ),
            models.UniqueConstraint(
                fields=["workspace"],
                condition=models.Q(is_default=True),
                name="model_one_default",
                nulls_distinct=False,
            ),
            models.CheckConstraint(
                condition=models.Q(strategy__in=["weighted", "least_busy", "lowest_latency", "cheapest"]),
                name="model_strategy_known",
            ),
        ]

    def __str__(self) -> str:
        return self.label

    def clean(self) -> None:
        if not isinstance(self.default_params, dict):
            raise ValidationError({"default_params": "Parameters are an object: {…}."})
        try:
            parameters.check(self.default_params, "")
        except Invalid as problem:
            raise ValidationError({"default_params": problem.detail}) from None
        if problem_of_prices := price_entries.problem_of(self.prices):
            raise ValidationError({"prices": problem_of_prices})

    @property
    def supports(self) -> dict[str, bool]:
        return {
            "vision": self.supports_vision,
            "tools": self.supports_tools,
            "reasoning": self.supports_reasoning,
            "json": self.supports_json,
        }


class Fallback(models.Model):
    """Another model that answers in a model's place when no deployment of it can; lower positions first."""

    model = models.ForeignKey(Model, on_delete=models.CASCADE, related_name="fallback_links")
    to = models.ForeignKey(Model, on_delete=models.CASCADE, related_name="+")
    position = models.PositiveSmallIntegerField(default=0)

    class Meta:
        ordering = ["position", "pk"]
        constraints = [
            models.UniqueConstraint(fields=["model", "to"], name="fallback_unique"),
            models.CheckConstraint(condition=~models.Q(model=models.F("to")), name="fallback_to_another"),
        ]

    def __str__(self) -> str:
        return f"{self.model} → {self.to}"


class Deployment(models.Model):
    """One way to reach a model through one provider. Lower priorities come first; weights share one priority.

    `max_concurrent`, `rpm` and `tpm` (requests and tokens a minute) are limits of the account; empty is none.
    `vanished_at`: since when the provider's list lacks it. It is asked all the same: lists leave out aliases.
    """

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    model = models.ForeignKey(Model, on_delete=models.CASCADE, related_name="deployments")
    provider = models.ForeignKey(Provider, on_delete=models.CASCADE, related_name="deployments")
    upstream_name = models.CharField(max_length=200, help_text="What the provider calls the model.")
    priority = models.PositiveSmallIntegerField(default=0, help_text="Lower is tried first.")
    weight = models.PositiveSmallIntegerField(default=1, validators=[MinValueValidator(1)])
    max_concurrent = models.PositiveIntegerField(
        "requests at a time", null=True, blank=True, validators=[MinValueValidator(1)]
    )
    rpm = models.PositiveIntegerField(
        "requests a minute", null=True, blank=True, validators=[MinValueValidator(1)]
    )
    tpm = models.PositiveIntegerField(
        "tokens a minute", null=True, blank=True, validators=[MinValueValidator(1)]
    )
    prices = models.JSONField(
        null=True, blank=True, help_text="Where they differ from the model's, in the same form and currency."
    )
    enabled = models.BooleanField(default=True)
    vanished_at = models.DateTimeField("no longer listed since", null=True, blank=True, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    objects: ClassVar[DeploymentQuerySet] = DeploymentQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        ordering = ["priority", "pk"]
        constraints = [
            models.UniqueConstraint(fields=["model", "provider", "upstream_name"], name="deployment_unique"),
            models.CheckConstraint(condition=models.Q(weight__gte=1), name="deployment_weight_positive"),
        ]

    def __str__(self) -> str:
        return f"{self.upstream_name} at {self.provider}"

    @property
    def is_limited(self) -> bool:
        return any(limit is not None for limit in (self.max_concurrent, self.rpm, self.tpm))

    def clean(self) -> None:
        owner: Any = self.provider.workspace_id
        if owner is not None and owner != self.model.workspace_id:
            raise ValidationError({"provider": "This provider belongs to another workspace than the model."})
        if problem := price_entries.problem_of(self.prices):
            raise ValidationError({"prices": problem})
