"""The door of vendors."""

import uuid

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from chatcore.errors import Unauthenticated
from chatcore.security.limits import address_of, charge_address
from external.adapters.adapter import Received
from external.sources.receiving import receive


@csrf_exempt
@require_POST
def vendor(request: HttpRequest, adapter: str, source: uuid.UUID) -> HttpResponse:
    query = request.META.get("QUERY_STRING", "")
    url = f"{settings.PUBLIC_URL}{request.path}{'?' if query else ''}{query}"
    headers = {name.lower(): value for name, value in request.headers.items()}
    client = address_of(request)
    try:
        answer = receive(adapter, source, Received(url, headers, request.body, client))
    except Unauthenticated:
        charge_address(client)
        raise
    return HttpResponse(
        answer.body, status=answer.status, content_type=answer.content_type, headers=dict(answer.headers)
    )
