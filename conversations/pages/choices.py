"""The models a reader may pick, and which of them answers a conversation."""

from collections.abc import Sequence
from dataclasses import dataclass

from chatcore.accounts.principals import Principal
from chatcore.llm.models import Model
from conversations.models import Conversation


@dataclass(frozen=True)
class Choices:
    """What the model picker offers. `chosen` answers unless another is picked; None where there is no model."""

    models: Sequence[Model]
    chosen: Model | None


def choices_for(principal: Principal, conversation: Conversation | None = None, name: str = "") -> Choices:
    models = _offered(principal)
    wanted = name or (conversation.model.name if conversation and conversation.model else "")
    chosen = next((model for model in models if model.name == wanted), None)
    return Choices(models, chosen or Model.objects.default_for(principal))


def _offered(principal: Principal) -> list[Model]:
    """One of each name: a workspace's own model hides the shared one."""
    by_name: dict[str, Model] = {}
    for model in Model.objects.for_principal(principal):
        if model.name not in by_name or model.workspace_id is not None:
            by_name[model.name] = model
    return list(by_name.values())
