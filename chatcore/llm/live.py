"""Commands to the registry."""

import uuid

from django.http import HttpRequest
from ninja import Router

from chatcore.accounts.ninja import principal_of
from chatcore.llm import registry
from chatcore.llm.resources import RefreshedResource
from chatcore.offload import in_request

router = Router(tags=["providers"])


@router.post(
    "/providers/{uuid:id}/refresh",
    response=RefreshedResource,
    operation_id="refresh_provider",
    summary="Follow a provider's list of models",
    openapi_extra={"responses": {502: {"$ref": "#/components/responses/ProviderFailed"}}},
)
async def refresh_provider(request: HttpRequest, id: uuid.UUID) -> RefreshedResource:
    """New models are added, those that are gone are marked, and nothing you entered is changed. Takes up to 40 s.
    A provider that cannot be asked is a 502; `detail` has what it said."""
    return RefreshedResource.of(await in_request(registry.refresh_provider, principal_of(request), id))
