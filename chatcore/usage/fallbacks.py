"""Which models may answer in another's place: those that whoever asks may use, and pay for."""

import uuid
from collections.abc import Collection

from chatcore.accounts import principals
from chatcore.llm.models import Model
from chatcore.llm.routing import StandIns
from chatcore.offload import offload
from chatcore.usage import spending


def stand_ins(workspace: uuid.UUID, user: uuid.UUID | None, integration: uuid.UUID | None) -> StandIns:
    """What routing wants to know of them, for whoever asked for the answer."""

    async def able(models: Collection[uuid.UUID]) -> Collection[uuid.UUID]:
        return await offload(_able, workspace, user, integration, models)

    return able


def _able(
    workspace: uuid.UUID,
    user: uuid.UUID | None,
    integration: uuid.UUID | None,
    models: Collection[uuid.UUID],
) -> Collection[uuid.UUID]:
    asker = principals.asker(workspace, user, integration)
    if asker is None:
        return frozenset()
    usable = Model.objects.for_principal(asker).filter(pk__in=models)
    return frozenset(
        model.pk
        for model in usable
        if asker.may_use_model(model.name) and spending.may_stand_in(workspace, user, integration, model.pk)
    )
