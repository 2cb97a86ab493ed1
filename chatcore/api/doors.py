"""Both halves of the API under /api/v1/, and their common errors."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, path
from django.views.decorators.csrf import csrf_exempt
from ninja import NinjaAPI
from ninja.errors import HttpError, ValidationError
from ninja.parser import Parser
from ninja.renderers import BaseRenderer
from pydantic_core import to_json

from chatcore import errors
from chatcore.accounts.integrations import rest as integrations
from chatcore.accounts.ninja import PrincipalAuth
from chatcore.llm import live as llm_live
from chatcore.llm import rest as llm_rest
from chatcore.problems import BY_STATUS, problem_response, pydantic_problem, read_json, translate
from chatcore.realtime import live as realtime_live
from chatcore.usage import rest as usage
from chatcore.viewsets import PrincipalViewSet
from conversations import attaching, comparing, rest
from conversations import live as conversations_live
from external import live as external_live
from external import rest as external_rest
from external.authenticators import rest as authenticators
from external.identities import rest as identities
from external.schedules import rest as schedules
from external.sources import rest as sources
from external.webhooks import live as webhooks_live
from external.webhooks import rest as webhooks

PREFIX = "/api/v1/"


class JSONBodies(Parser):
    def parse_body(self, request: HttpRequest) -> Any:
        return read_json(request.body)


class JSONAnswers(BaseRenderer):
    """As pydantic writes it at the other half: Django's own way leaves out the microseconds."""

    media_type = "application/json"

    def render(self, request: HttpRequest, data: Any, *, response_status: int) -> bytes:  # noqa: ARG002
        return to_json(data)


live = NinjaAPI(
    title="Chatcore",
    version="1",
    auth=PrincipalAuth(),
    docs_url=None,
    openapi_url=None,
    urls_namespace="live",
    parser=JSONBodies(),
    renderer=JSONAnswers(),
)
live.add_router("", conversations_live.router)
live.add_router("", realtime_live.router)
live.add_router("", llm_live.router)
live.add_router("", external_live.router)
live.add_router("", webhooks_live.router)


@live.exception_handler(ValidationError)
def _invalid(request: HttpRequest, error: ValidationError) -> HttpResponse:
    """Ninja says first whether it is the body, and then what its view calls it."""
    found = [item | {"loc": item["loc"][2 if item["loc"][0] == "body" else 1 :]} for item in error.errors]
    return problem_response(request, pydantic_problem(found))


@live.exception_handler(HttpError)
def _http_error(request: HttpRequest, error: HttpError) -> HttpResponse:
    """Ninja wraps what reading the body raised."""
    if isinstance(error.__cause__, errors.ChatcoreError):
        return problem_response(request, error.__cause__)
    kind = BY_STATUS.get(error.status_code, errors.Malformed)
    return problem_response(request, kind(str(error)))


@live.exception_handler(Exception)
def _any_error(request: HttpRequest, error: Exception) -> HttpResponse:
    known = translate(error)
    if known is None:
        raise error
    return problem_response(request, known)


@csrf_exempt
def missing(request: HttpRequest, missing: str = "") -> HttpResponse:  # noqa: ARG001
    """Also takes resource addresses without their slash: redirecting a POST would lose its body."""
    return problem_response(
        request, errors.NotFound("There is nothing here. Resource addresses end with a slash.")
    )


def _kept(place: str, resource: type[PrincipalViewSet]) -> list[URLPattern]:
    """A resource that is listed, made, read, changed and removed."""
    one: dict[str, Any] = {"get": "retrieve", "patch": "partial_update", "delete": "destroy"}
    return [
        path(f"{place}/", resource.as_view({"get": "list", "post": "create"})),
        path(f"{place}/<uuid:id>/", resource.as_view(one)),
    ]


resources: list[URLPattern] = [
    *_kept("conversations", rest.ConversationViewSet),
    path(
        "conversations/<uuid:id>/messages/",
        rest.ConversationMessageViewSet.as_view({"get": "list", "post": "create"}),
    ),
    path("messages/<uuid:id>/", rest.MessageViewSet.as_view({"get": "retrieve", "delete": "destroy"})),
    path("messages/<uuid:id>/receipts/", rest.ReceiptViewSet.as_view({"get": "list"})),
    path("attachments/", attaching.AttachmentViewSet.as_view({"post": "create"}), name="attachments"),
    path(
        "attachments/<uuid:id>/",
        attaching.AttachmentViewSet.as_view({"get": "retrieve", "delete": "destroy"}),
        name="attachment",
    ),
    path(
        "attachments/<uuid:id>/content",
        attaching.AttachmentViewSet.as_view({"get": "content"}),
        name="attachment_content",
    ),
    path("comparisons/", comparing.ComparisonViewSet.as_view({"get": "list"})),
    *_kept("integrations", integrations.IntegrationViewSet),
    path(
        "integrations/<uuid:id>/keys/",
        integrations.KeyViewSet.as_view({"get": "list", "post": "create"}),
    ),
    path("integrations/<uuid:id>/keys/rotate/", integrations.KeyViewSet.as_view({"post": "rotate"})),
    path(
        "integrations/<uuid:id>/keys/<uuid:key>/",
        integrations.KeyViewSet.as_view({"get": "retrieve", "delete": "destroy"}),
    ),
    *_kept("providers", llm_rest.ProviderViewSet),
    *_kept("models", llm_rest.ModelViewSet),
    path("models/<uuid:id>/parameters/", llm_rest.ModelViewSet.as_view({"get": "parameters"})),
    *_kept("deployments", llm_rest.DeploymentViewSet),
    path("usage/", usage.UsageViewSet.as_view({"get": "list"}), name="usage_ledger"),
    path("usage/summary/", usage.UsageViewSet.as_view({"get": "summary"}), name="usage_summary"),
    *_kept("budgets", usage.BudgetViewSet),
    *_kept("identities", identities.IdentityViewSet),
    *_kept("schedules", schedules.ScheduleViewSet),
    path("schedules/<uuid:id>/runs/", schedules.ScheduleRunViewSet.as_view({"get": "list"})),
    *_kept("sources", sources.SourceViewSet),
    path("intake/messages/<uuid:id>/", external_rest.IntakeMessageViewSet.as_view({"get": "retrieve"})),
    *_kept("authenticators", authenticators.AuthenticatorViewSet),
    *_kept("webhooks", webhooks.WebhookViewSet),
    path("webhooks/<uuid:id>/deliveries/", webhooks.DeliveryViewSet.as_view({"get": "list"})),
    path("deliveries/<uuid:id>/", webhooks.DeliveryViewSet.as_view({"get": "retrieve"})),
    path("", missing),
]
