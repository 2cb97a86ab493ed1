"""Makers of registry rows for the tests of models and providers."""

import itertools
from typing import Any

from chatcore.accounts.models import Integration, User, Workspace
from chatcore.accounts.principals import Principal
from chatcore.accounts.roles import MEMBER_GRANTS
from chatcore.llm.models import Deployment, Model, Provider

_numbers = itertools.count(1)


def make_provider(kind: str = "demo", **fields: Any) -> Provider:
    fields.setdefault("name", f"provider-{next(_numbers)}")
    return Provider.objects.create(kind=kind, **fields)


def make_model(name: str = "", **fields: Any) -> Model:
    name = name or f"model-{next(_numbers)}"
    fields.setdefault("label", name.title())
    return Model.objects.create(name=name, **fields)


def make_deployment(
    model: Model | None = None, provider: Provider | None = None, **fields: Any
) -> Deployment:
    model, provider = model or make_model(), provider or make_provider()
    fields.setdefault("upstream_name", model.name)
    return Deployment.objects.create(model=model, provider=provider, **fields)


def make_reachable(name: str = "", **fields: Any) -> Model:
    """A model with a deployment at a provider of its own."""
    return make_deployment(make_model(name, **fields)).model


def make_principal(
    workspace: Workspace | None = None, role: str = "member", grants: tuple[str, ...] = ()
) -> Principal:
    """A signed-in user; with `grants`, a key that acts for one and is limited to them."""
    number = next(_numbers)
    workspace = workspace or Workspace.objects.create(name=f"workspace-{number}")
    user = User.objects.create_user(f"person{number}@example.com")
    if not grants:
        return Principal(user, workspace, None, MEMBER_GRANTS[role], role)
    integration = Integration.objects.create(workspace=workspace, name=f"integration-{number}", acts_as=user)
    return Principal(user, workspace, integration, frozenset(grants), role, credential="key")
