"""Writes of a workspace's own people to its registry. What belongs to all workspaces is for staff, in the admin."""

import uuid
from collections.abc import Mapping
from typing import Any, TypeVar

from django.core.exceptions import NON_FIELD_ERRORS, ValidationError
from django.db import IntegrityError, transaction
from django.db.models import Model as Row
from django.db.models import Q, QuerySet

from chatcore.accounts.principals import Principal
from chatcore.errors import ChatcoreError, Conflict, FieldProblem, Forbidden, NotFound
from chatcore.llm.actions import make_default
from chatcore.llm.errors import ProviderError
from chatcore.llm.listing import words_of
from chatcore.llm.models import Deployment, Fallback, Model, Provider
from chatcore.llm.moving import KEY_AGAIN, leaves_its_key
from chatcore.llm.refresh import Refreshed, refresh
from chatcore.llm.sharing import require_offered, require_same_prices, require_same_readers
from chatcore.problems import invalid, pointer_to
from chatcore.texts import checked_object, checked_text, refused

Kept = TypeVar("Kept", Provider, Model, Deployment)
MOST_KEYS = 50
OBJECTS = ("options", "prices", "default_params")


class ProviderFailed(ChatcoreError):
    """The provider could not be asked."""

    status, code = 502, "provider_failed"
    remedy = (
        "See what the provider said in `detail`: mostly its address or its credential has to be corrected."
    )


class Shared(Forbidden):
    """It belongs to all workspaces: only staff change it, in the admin."""

    code = "shared_with_all"
    remedy = "Ask somebody on the staff of this server, or add one of your own beside it."


def visible(rows: QuerySet[Kept], principal: Principal, owner: str = "workspace") -> QuerySet[Kept]:
    """The workspace's own, and those of all workspaces."""
    return rows.filter(Q(**{owner: None}) | Q(**{owner: principal.workspace}))


def find_provider(principal: Principal, provider_id: uuid.UUID, grant: str = "providers:read") -> Provider:
    principal.require(grant)
    return _found(visible(Provider.objects.with_credential_mark(), principal), provider_id)


def find_model(principal: Principal, model_id: uuid.UUID) -> Model:
    """One the principal may choose; whoever looks after the models finds the others of the workspace too."""
    principal.require_any("models:read")
    described = Model.objects.described()
    managed = principal.may("models:write")
    return _found(visible(described, principal) if managed else described.for_principal(principal), model_id)


def find_deployment(principal: Principal, deployment_id: uuid.UUID) -> Deployment:
    principal.require("models:write")
    rows = Deployment.objects.select_related("model")
    return _found(visible(rows, principal, "model__workspace"), deployment_id)


@transaction.atomic
def add_provider(principal: Principal, **fields: Any) -> Provider:
    principal.require("providers:write")
    provider = Provider(workspace=principal.workspace)
    _write(provider, fields)
    return find_provider(principal, provider.id, "providers:write")


@transaction.atomic
def change_provider(principal: Principal, provider_id: uuid.UUID, **fields: Any) -> Provider:
    provider = _own(find_provider(principal, provider_id, "providers:write"))
    wanted = {name: fields.get(name, getattr(provider, name)) for name in ("kind", "base_url", "options")}
    if "credential" not in fields and leaves_its_key(provider, **wanted):
        raise refused("/credential", KEY_AGAIN, "required")
    _write(provider, fields)
    return find_provider(principal, provider_id, "providers:write")


def remove_provider(principal: Principal, provider_id: uuid.UUID) -> None:
    """With its deployments."""
    _own(find_provider(principal, provider_id, "providers:write")).delete()


def refresh_provider(principal: Principal, provider_id: uuid.UUID) -> Refreshed:
    """Follow its list of models. Raises ProviderFailed, Unreadable. Asks the provider: not in a transaction."""
    provider = _own(find_provider(principal, provider_id, "providers:write"))
    try:
        return refresh(provider)
    except ProviderError as error:
        raise ProviderFailed(words_of(error)) from None


@transaction.atomic
def add_model(principal: Principal, **fields: Any) -> Model:
    principal.require("models:write")
    model = Model(workspace=principal.workspace, label=fields["name"])
    _write_model(principal, model, fields)
    return _described(model)


@transaction.atomic
def change_model(principal: Principal, model_id: uuid.UUID, **fields: Any) -> Model:
    model = _own_model(principal, model_id)
    shown = "visible_to" in fields or fields.get("enabled")
    _write_model(principal, model, fields)
    if shown:
        require_same_readers(model)
    return _described(model)


def remove_model(principal: Principal, model_id: uuid.UUID) -> None:
    """With its deployments. What it has answered stays."""
    _own_model(principal, model_id).delete()


@transaction.atomic
def add_deployment(principal: Principal, model: uuid.UUID, provider: uuid.UUID, **fields: Any) -> Deployment:
    """Of a model of one's own, at a provider of one's own; at one of all workspaces what a shared model is there."""
    principal.require("models:write")
    at = visible(Provider.objects.all(), principal).filter(id=provider).first()
    of = Model.objects.filter(workspace=principal.workspace, id=model).first()
    if of is None:
        raise refused("/model", "must be the id of a model of this workspace", "unknown")
    if at is None:
        raise refused("/provider", "must be the id of a provider you see", "unknown")
    deployment = Deployment(model=of, provider=at)
    _write(deployment, fields)
    require_same_prices(deployment, None)
    require_offered(principal, deployment)
    return deployment


@transaction.atomic
def change_deployment(principal: Principal, deployment_id: uuid.UUID, **fields: Any) -> Deployment:
    deployment = _own(find_deployment(principal, deployment_id))
    prices = deployment.prices
    _write(deployment, fields)
    require_same_prices(deployment, prices)
    if "upstream_name" in fields or fields.get("enabled"):
        require_offered(principal, deployment)
    return deployment


def remove_deployment(principal: Principal, deployment_id: uuid.UUID) -> None:
    _own(find_deployment(principal, deployment_id)).delete()


def _found(rows: QuerySet[Kept], row_id: uuid.UUID) -> Kept:
    found = rows.filter(id=row_id).first()
    if found is None:
        raise NotFound
    return found


def _own(row: Kept) -> Kept:
    owner = row.model if isinstance(row, Deployment) else row
    if owner.workspace_id is None:
        raise Shared
    return row


def _own_model(principal: Principal, model_id: uuid.UUID) -> Model:
    principal.require("models:write")
    return _own(_found(visible(Model.objects.all(), principal), model_id))


def _described(model: Model) -> Model:
    return Model.objects.described().get(pk=model.pk)


def _write_model(principal: Principal, model: Model, fields: dict[str, Any]) -> None:
    is_default, names = fields.pop("is_default", False), fields.pop("fallbacks", None)
    supports = {f"supports_{ability}": does for ability, does in fields.pop("supports", {}).items()}
    _write(model, fields | supports)
    if names is not None:
        _write_fallbacks(principal, model, names)
    if is_default:
        make_default(model)


def _write_fallbacks(principal: Principal, model: Model, names: list[str]) -> None:
    known = Model.objects.filter(pk__in=_answering(principal))
    found = [known.named(name) for name in names]
    for place, to in enumerate(found):
        if to is None or to == model or to in found[:place]:
            raise refused(f"/fallbacks/{place}", "must be the name of another model, once", "unknown")
    Fallback.objects.filter(model=model).delete()
    Fallback.objects.bulk_create(
        Fallback(model=model, to=to, position=place) for place, to in enumerate(found) if to is not None
    )


def _answering(principal: Principal) -> QuerySet[Model]:
    """What may answer in a model's place: the workspace's own, and those of all workspaces that it may choose."""
    own, chosen = (
        Q(workspace=principal.workspace),
        Q(visible_to=[]) | Q(visible_to__contains=[principal.role]),
    )
    return Model.objects.filter(own | Q(chosen, workspace=None))


def _write(row: Row, fields: Mapping[str, Any]) -> None:
    """Check and save. Raises Invalid, which points at each field that cannot be, and Conflict for a name taken."""
    for name, value in fields.items():
        if name in OBJECTS and value is not None:
            checked_object(value, pointer_to(name), most_keys=MOST_KEYS)
        elif isinstance(value, str):
            checked_text(value, pointer_to(name), required=name not in ("base_url", "credential"))
        setattr(row, name, value)
    is_new = row._state.adding
    try:
        row.full_clean(exclude={"credential"}, validate_unique=False, validate_constraints=False)
        with transaction.atomic():
            row.save(update_fields=None if is_new else [*fields, "updated_at"])
    except ValidationError as error:
        raise _problem_of(error) from None
    except IntegrityError:
        raise Conflict("There is one of that name already.") from None


def _problem_of(error: ValidationError) -> Exception:
    return invalid(
        FieldProblem("" if name == NON_FIELD_ERRORS else pointer_to(name), " ".join(found))
        for name, found in error.message_dict.items()
    )
