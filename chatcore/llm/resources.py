"""The registry as the API shows it. A provider's key goes in and never comes out again."""

import uuid
from dataclasses import asdict
from datetime import datetime
from typing import Any

from pydantic import BaseModel, Field

from chatcore.llm.models import FROM_ENVIRONMENT, Deployment, Model, Provider
from chatcore.llm.refresh import Refreshed


class ProviderResource(BaseModel):
    """An account at a service that runs models. What belongs to all workspaces shows neither address nor options."""

    id: uuid.UUID
    name: str
    kind: str
    base_url: str | None
    options: dict[str, Any] | None
    has_credential: bool = Field(description="Whether a key is stored; it is never shown.")
    shared: bool = Field(description="It belongs to all workspaces, and only staff change it.")
    enabled: bool
    created_at: datetime
    updated_at: datetime

    @classmethod
    def of(cls, provider: Provider) -> "ProviderResource":
        shared = provider.workspace_id is None
        options = {name: value for name, value in provider.options.items() if name != FROM_ENVIRONMENT}
        return cls(
            id=provider.id,
            name=provider.name,
            kind=provider.kind,
            base_url=None if shared else provider.base_url,
            options=None if shared else options,
            has_credential=provider.has_credential,
            shared=shared,
            enabled=provider.enabled,
            created_at=provider.created_at,
            updated_at=provider.updated_at,
        )


class RefreshedResource(BaseModel):
    """What a provider's list brought, by the provider's names."""

    added: list[str] = Field(description="New ones, which can be chosen now.")
    offered: list[str] = Field(description="New ones that were too many to be added unasked.")
    vanished: list[str] = Field(
        description="Listed no more; they stay enabled, since lists leave out aliases."
    )
    returned: list[str] = Field(description="Listed again.")

    @classmethod
    def of(cls, refreshed: Refreshed) -> "RefreshedResource":
        return cls.model_validate(asdict(refreshed))


class ModelResource(BaseModel):
    """A model to choose from."""

    id: uuid.UUID
    name: str = Field(description="What API clients call it.")
    label: str = Field(description="What people read.")
    context_window: int | None = Field(description="Tokens; null: unknown.")
    max_output: int | None = Field(description="Tokens; null: unknown.")
    supports: dict[str, bool]
    prices: dict[str, Any] | None = Field(description="For a million tokens; null: unknown.")
    strategy: str = Field(description="Which of its deployments of one priority is asked first.")
    default_params: dict[str, Any]
    visible_to: list[str] = Field(description="Roles that may choose it; []: everybody.")
    fallbacks: list[str] = Field(description="Names of models that answer in its place, the first one first.")
    shared: bool = Field(description="It belongs to all workspaces, and only staff change it.")
    enabled: bool
    is_default: bool

    @classmethod
    def of(cls, model: Model) -> "ModelResource":
        """`model` comes from `ModelQuerySet.described`."""
        return cls(
            id=model.id,
            name=model.name,
            label=model.label,
            context_window=model.context_window,
            max_output=model.max_output,
            supports=model.supports,
            prices=model.prices,
            strategy=model.strategy,
            default_params=model.default_params,
            visible_to=model.visible_to,
            fallbacks=[link.to.name for link in model.fallback_links.all()],
            shared=model.workspace_id is None,
            enabled=model.enabled,
            is_default=model.is_default,
        )


class DeploymentResource(BaseModel):
    """One way to reach a model through one provider."""

    id: uuid.UUID
    model: uuid.UUID
    provider: uuid.UUID
    upstream_name: str = Field(description="What the provider calls the model.")
    priority: int = Field(description="Lower is tried first.")
    weight: int
    max_concurrent: int | None
    rpm: int | None
    tpm: int | None
    prices: dict[str, Any] | None = Field(description="Where they differ from the model's.")
    shared: bool = Field(description="Its model belongs to all workspaces, and only staff change it.")
    enabled: bool

    @classmethod
    def of(cls, deployment: Deployment) -> "DeploymentResource":
        return cls(
            id=deployment.id,
            model=deployment.model_id,
            provider=deployment.provider_id,
            upstream_name=deployment.upstream_name,
            priority=deployment.priority,
            weight=deployment.weight,
            max_concurrent=deployment.max_concurrent,
            rpm=deployment.rpm,
            tpm=deployment.tpm,
            prices=deployment.prices,
            shared=deployment.model.workspace_id is None,
            enabled=deployment.enabled,
        )
