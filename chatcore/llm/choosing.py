"""Which model answers: by its name, by its id, or the default. Read with every question, hence by prepared queries."""

import uuid

from chatcore.accounts.principals import Principal
from chatcore.llm.models import Model
from chatcore.prepared import Prepared

_named: Prepared[Model] = Prepared(
    lambda workspace, role, name: Model.objects.open_to(workspace, role).by_name(name)[:1],
    uuid.UUID,
    str,
    str,
)
_known: Prepared[Model] = Prepared(
    lambda workspace, role, model: Model.objects.open_to(workspace, role).filter(id=model),
    uuid.UUID,
    str,
    uuid.UUID,
)
_default: Prepared[Model] = Prepared(
    lambda workspace, role: Model.objects.open_to(workspace, role).by_preference()[:1], uuid.UUID, str
)


def named(principal: Principal, name: str) -> Model | None:
    """A workspace's own model hides the shared one of its name."""
    if _is_limited(principal):
        return Model.objects.for_principal(principal).named(name)
    return _named.first(principal.workspace.id, principal.role, name)


def known(principal: Principal, model_id: uuid.UUID) -> Model | None:
    """If it may still be used."""
    if _is_limited(principal):
        return Model.objects.for_principal(principal).filter(id=model_id).first()
    return _known.first(principal.workspace.id, principal.role, model_id)


def default(principal: Principal) -> Model | None:
    """See ModelQuerySet.by_preference."""
    if _is_limited(principal):
        return Model.objects.default_for(principal)
    return _default.first(principal.workspace.id, principal.role)


def _is_limited(principal: Principal) -> bool:
    """To some models by its key: then the query has another shape each time."""
    return principal.selectors("models:use") is not None
