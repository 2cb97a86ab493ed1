"""The models a client may name, as `/v1/models` lists them."""

from typing import Any

from chatcore.accounts.principals import Principal
from chatcore.errors import FieldProblem, NotFound
from chatcore.llm.models import Model


def list_models(principal: Principal) -> dict[str, Any]:
    """OpenAI's list. A workspace's own model hides a shared one of its name."""
    principal.require_any("models:read")
    found: dict[str, Model] = {}
    for model in Model.objects.for_principal(principal).order_by("name"):
        if model.name not in found or model.workspace_id:
            found[model.name] = model
    return {"object": "list", "data": [_shown(model) for model in found.values()]}


def read_model(principal: Principal, name: str) -> dict[str, Any]:
    principal.require_any("models:read")
    model = Model.objects.for_principal(principal).named(name)
    if model is None:
        detail = f"The model {name!r} does not exist, or you may not use it."
        raise NotFound(detail, errors=[FieldProblem("/model", detail, "unknown_model")])
    return _shown(model)


def _shown(model: Model) -> dict[str, Any]:
    return {
        "id": model.name,
        "object": "model",
        "created": int(model.created_at.timestamp()),
        "owned_by": "workspace" if model.workspace_id else "chatcore",
    }
