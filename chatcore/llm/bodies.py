"""What clients send to the registry. Whether it may be done, the actions decide."""

import uuid
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, StrictBool

from chatcore.bodies import Body

Name = Annotated[str, Field(min_length=1, max_length=100)]
ModelName = Annotated[str, Field(min_length=1, max_length=150)]
Count = Annotated[int, Field(ge=1, le=2_000_000_000)]
Role = Literal["owner", "admin", "member", "guest"]
Strategy = Literal["weighted", "least_busy", "lowest_latency", "cheapest"]
ABSENT: Any = None


class ProviderChanges(Body):
    """What to change; what is not named stays."""

    EXAMPLE: ClassVar[dict[str, Any]] = {"credential": "sk-…"}

    name: Name = ABSENT
    base_url: str = Field(ABSENT, max_length=500, description="With its version: https://api.example.com/v1")
    credential: str = Field(
        ABSENT, max_length=10_000, description="The account's key. Stored encrypted and never shown again."
    )
    options: dict[str, Any] = Field(ABSENT, description="Those its kind knows, see docs/providers.md.")
    enabled: StrictBool = ABSENT


class NewProvider(ProviderChanges):
    """An account at a service that runs models."""

    EXAMPLE = {
        "name": "Mistral",
        "kind": "openai",
        "base_url": "https://api.mistral.ai/v1",
        "credential": "…",
    }

    name: Name
    kind: str = Field(max_length=50, description="How to speak to it, see docs/providers.md.")


class ModelChanges(Body):
    """What to change; what is not named stays."""

    EXAMPLE: ClassVar[dict[str, Any]] = {"label": "Mistral Large", "visible_to": ["owner", "admin"]}

    name: ModelName = Field(ABSENT, description="What API clients call it.")
    label: ModelName = Field(ABSENT, description="What people read; left out: its name.")
    context_window: Count | None = Field(ABSENT, description="Tokens; null: unknown.")
    max_output: Count | None = Field(ABSENT, description="Tokens; null: unknown.")
    supports: dict[Literal["vision", "tools", "reasoning", "json"], StrictBool] = ABSENT
    prices: dict[str, Any] | None = Field(
        ABSENT,
        description='For a million tokens: {"currency": "USD", "input": 1.25, "output": 10, "cached": 0.1, '
        '"cache_write": 1.5, "above": [{"tokens": 200000, "input": 2.5, "output": 15}]}; `above` is for requests that '
        "read more tokens than that. Null: unknown, which is not free.",
    )
    strategy: Strategy = Field(
        ABSENT,
        description="Which of its deployments of one priority is asked first: by weight, the one with the fewest "
        "answers under way, the shortest median time to the first token, or the lowest price.",
    )
    default_params: dict[str, Any] = Field(ABSENT, description="Parameters of every request that has no own.")
    visible_to: list[Role] = Field(
        ABSENT, max_length=4, description="Roles that may choose it; []: everybody."
    )
    fallbacks: list[ModelName] = Field(
        ABSENT, max_length=20, description="Names of models that answer in its place, the first one first."
    )
    enabled: StrictBool = ABSENT
    is_default: Literal[True] = Field(ABSENT, description="It answers where nothing is chosen.")


class NewModel(ModelChanges):
    """A name to choose. It answers through its deployments."""

    EXAMPLE = {"name": "mistral-large", "label": "Mistral Large", "context_window": 128000}

    name: ModelName = Field(description="What API clients call it.")


class DeploymentChanges(Body):
    """What to change; what is not named stays."""

    EXAMPLE: ClassVar[dict[str, Any]] = {"priority": 1}

    upstream_name: str = Field(
        ABSENT, min_length=1, max_length=200, description="What the provider calls the model."
    )
    priority: int = Field(ABSENT, ge=0, le=32767, description="Lower is tried first.")
    weight: int = Field(ABSENT, ge=1, le=32767, description="Its share among those of one priority.")
    max_concurrent: Count | None = Field(ABSENT, description="Requests at the same time; null: no limit.")
    rpm: Count | None = Field(ABSENT, description="Requests a minute; null: no limit.")
    tpm: Count | None = Field(ABSENT, description="Tokens a minute; null: no limit.")
    prices: dict[str, Any] | None = Field(
        ABSENT, description="Where they differ from the model's; null: they do not."
    )
    enabled: StrictBool = ABSENT


class NewDeployment(DeploymentChanges):
    """One way to reach a model through one provider."""

    EXAMPLE = {
        "model": "0199a2b4-7c1e-7d3f-8a55-0c1d2e3f4a5b",
        "provider": "0199a2b4-7c1e-7d3f-8a55-0c1d2e3f4a5c",
        "upstream_name": "mistral-large-latest",
    }

    model: uuid.UUID
    provider: uuid.UUID
    upstream_name: str = Field(min_length=1, max_length=200, description="What the provider calls the model.")
