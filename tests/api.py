"""The API as the tests call it inside this process: its clients, and one working request for every operation."""

import functools
import json
import uuid
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

from django.core.files.uploadedfile import SimpleUploadedFile
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.test import Client
from django.test.client import ClientHandler

from chatcore.accounts import keys
from chatcore.accounts.models import Integration
from chatcore.accounts.principals import Principal
from chatcore.llm.models import Deployment, Model, Provider
from chatcore.realtime.handover import PLACE
from chatcore.usage.models import Budget
from conversations.models import Conversation, Message
from external.models import Authenticator, Identity, IntakeMessage, Schedule, Source
from external.schedules import actions as schedules
from tests.external.factories import make_delivery, make_webhook
from tests.factories import (
    make_attachment,
    make_comparison,
    make_conversation,
    make_key_principal,
    make_reply,
)

CONVERSATIONS = "/api/v1/conversations/"
SECRET = "whsec_" + "c2VjcmV0" * 4


class _Handler(ClientHandler):
    """Ends what a view hands over, which only a server can go on with."""

    def get_response(self, request: HttpRequest) -> HttpResponseBase:
        scope: dict[str, Any] = {}
        request.scope = scope  # type: ignore[attr-defined]
        response = super().get_response(request)
        if left := scope.pop(PLACE, None):
            left.close()
        return response


@functools.cache
def _handler(enforce_csrf_checks: bool) -> ClientHandler:
    """One for all clients: each would look for every static file anew."""
    return _Handler(enforce_csrf_checks)


def make_client(*, enforce_csrf_checks: bool = False, **options: Any) -> Client:
    client = Client(**options)
    client.handler = _handler(enforce_csrf_checks)
    return client


def key_client(owner: Principal, *grants: str, **options: Any) -> Client:
    """A client with a key of an integration that acts for the owner; everything is granted unless named."""
    integration = make_key_principal(owner, *(grants or ("*:*",))).integration
    assert isinstance(integration, Integration)
    return make_client(headers={"X-API-Key": keys.mint(integration)[1]}, **options)


def session_client(owner: Principal, **options: Any) -> Client:
    assert owner.user
    client = make_client(headers={"X-Workspace": str(owner.workspace.id)}, **options)
    client.force_login(owner.user)
    return client


class Place(SimpleNamespace):
    """What the addresses name, PLACES: among it a conversation with a question in it, a reply to that which failed, and
    one that is compared with another.
    """

    @property
    def ids(self) -> dict[str, str]:
        return {name: str(getattr(self, name).id) for name in PLACES}


PERSONAL = ("conversation", "message", "reply", "candidate", "attachment")
PLACES = (
    *PERSONAL,
    "model",
    "provider",
    "deployment",
    "budget",
    "integration",
    "key",
    "authenticator",
    "person",
    "identity",
    "schedule",
    "clock",
    "upload",
    "webhook",
    "delivery",
    "source",
)
NOWHERE = {name: str(uuid.uuid4()) for name in PLACES}


def make_place(owner: Principal) -> Place:
    conversation = make_conversation(owner, "What is new?")
    message = conversation.active_leaf
    reply = make_reply(owner, conversation, status=Message.Status.FAILED, error={"code": "timeout"})
    assert message is not None
    candidate = make_comparison(conversation, message)[0]
    provider, _ = Provider.objects.get_or_create(kind="demo", name="Own provider", workspace=owner.workspace)
    model, _ = Model.objects.get_or_create(name="own", label="Own", workspace=owner.workspace)
    deployment, _ = Deployment.objects.get_or_create(model=model, provider=provider, upstream_name="own")
    limits = {"unit": "tokens", "period": "month", "limit": 10**9}
    budget, _ = Budget.objects.get_or_create(workspace=owner.workspace, **limits)
    person = conversation.owner
    claim = {"workspace": owner.workspace, "user": person, "channel": "sms", "value": "+436601234567"}
    identity, _ = Identity.objects.get_or_create(**claim)
    schedule = make_schedule(owner)
    integration, _ = Integration.objects.get_or_create(workspace=owner.workspace, name="Own integration")
    key = integration.keys.first() or keys.mint(integration)[0]
    authenticator, _ = Authenticator.objects.get_or_create(
        integration=integration, name="Own", kind="signature", defaults={"secret": SECRET}
    )
    origin = {"integration": schedule.integration, "source": "api", "strategy": "mapped"}
    IntakeMessage.objects.create(message=message, **origin)
    delivery = make_delivery(make_webhook(owner), message=message.id, conversation=conversation.id)
    mapped = {"adapter": "generic", "settings": {"proof": "key", "map": {"content": "$.text"}}}
    source, _ = Source.objects.get_or_create(integration=integration, name="Own", defaults=mapped)
    return Place(
        conversation=conversation,
        message=message,
        reply=reply,
        candidate=candidate,
        model=model,
        provider=provider,
        deployment=deployment,
        budget=budget,
        integration=integration,
        key=key,
        authenticator=authenticator,
        person=person,
        identity=identity,
        schedule=schedule,
        clock=schedule.integration,
        attachment=make_attachment(owner, message=message),
        upload=make_attachment(owner),
        webhook=delivery.webhook,
        delivery=delivery,
        source=source,
    )


def make_schedule(owner: Principal) -> Schedule:
    """Of an integration that acts for the owner; there may be one of it already."""
    named: dict[str, Any] = {"workspace": owner.workspace, "name": "Clock"}
    integration, made = Integration.objects.get_or_create(
        **named, defaults={"acts_as": owner.user, "grants": ["*:*"]}
    )
    if not made:
        return Schedule.objects.get(integration=integration)
    wishes = {"name": "Morning", "content": "Good morning.", "cron": "0 7 * * *", "respond": "none"}
    return schedules.add_schedule(owner, integration=integration.id, **wishes)


@dataclass(frozen=True)
class Route:
    """One operation, by a request that its owner may make."""

    method: str
    path: str
    status: int = 200
    body: dict[str, Any] | None = field(default=None)
    file: tuple[str, bytes] | None = None
    of_integrations: bool = False  # a person may not

    @property
    def is_of_somebody(self) -> bool:
        """Whether its address names a thing of one person, which is not everybody's in the workspace."""
        return any(f"<{name}>" in self.path for name in PERSONAL)

    @property
    def is_of_workspace(self) -> bool:
        """Whether its address names a thing of one workspace."""
        return "<" in self.path and not self.is_of_somebody

    def address(self, ids: dict[str, str]) -> str:
        path = self.path
        for name, value in ids.items():
            path = path.replace(f"<{name}>", value)
        return f"/api/v1/{path}"

    def named(self, ids: dict[str, str]) -> dict[str, str]:
        """The fields of its body that name things, written <model> and so on."""
        return {name: ids[value[1:-1]] for name, value in (self.body or {}).items() if str(value)[:1] == "<"}

    def ask(self, client: Client, ids: dict[str, str], **options: Any) -> Any:
        if self.file:
            return client.post(self.address(ids), {"file": SimpleUploadedFile(*self.file)}, **options)
        body = self.body and self.body | self.named(ids)
        return send(client, self.method, self.address(ids), body, **options)


def send(client: Client, method: str, path: str, body: Any = None, **options: Any) -> Any:
    """The body as JSON, or as it is if it is bytes already."""
    raw = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
    return client.generic(method, path, raw, **{"content_type": "application/json"} | options)


ROUTES = {
    "list_conversations": Route("GET", "conversations/"),
    "start_conversation": Route("POST", "conversations/", 201, {"title": "First words"}),
    "read_conversation": Route("GET", "conversations/<conversation>/"),
    "change_conversation": Route("PATCH", "conversations/<conversation>/", body={"title": "Other words"}),
    "delete_conversation": Route("DELETE", "conversations/<conversation>/", 204),
    "list_messages": Route("GET", "conversations/<conversation>/messages/"),
    "post_message": Route("POST", "conversations/<conversation>/messages/", 201, {"content": "And then?"}),
    "read_message": Route("GET", "messages/<message>/"),
    "delete_message": Route("DELETE", "messages/<message>/", 204),
    "upload_attachment": Route("POST", "attachments/", 201, file=("plan.txt", b"A plan.")),
    "read_attachment": Route("GET", "attachments/<attachment>/"),
    "read_attachment_content": Route("GET", "attachments/<attachment>/content"),
    "delete_attachment": Route("DELETE", "attachments/<upload>/", 204),
    "list_models": Route("GET", "models/"),
    "add_model": Route("POST", "models/", 201, {"name": "another"}),
    "read_model": Route("GET", "models/<model>/"),
    "change_model": Route("PATCH", "models/<model>/", body={"label": "Our own"}),
    "list_parameters": Route("GET", "models/<model>/parameters/"),
    "remove_model": Route("DELETE", "models/<model>/", 204),
    "list_providers": Route("GET", "providers/"),
    "add_provider": Route("POST", "providers/", 201, {"name": "Another", "kind": "demo"}),
    "read_provider": Route("GET", "providers/<provider>/"),
    "change_provider": Route("PATCH", "providers/<provider>/", body={"enabled": True}),
    "refresh_provider": Route("POST", "providers/<provider>/refresh"),
    "remove_provider": Route("DELETE", "providers/<provider>/", 204),
    "list_deployments": Route("GET", "deployments/"),
    "add_deployment": Route(
        "POST", "deployments/", 201, {"model": "<model>", "provider": "<provider>", "upstream_name": "other"}
    ),
    "read_deployment": Route("GET", "deployments/<deployment>/"),
    "change_deployment": Route("PATCH", "deployments/<deployment>/", body={"priority": 1}),
    "remove_deployment": Route("DELETE", "deployments/<deployment>/", 204),
    "ask": Route("POST", "conversations/<conversation>/replies", 202, {"content": "And then?"}),
    "edit_message": Route("POST", "messages/<message>/edit", 202, {"content": "What is old?"}),
    "regenerate": Route("POST", "replies/<reply>/regenerate", 202, {}),
    "retry": Route("POST", "replies/<reply>/retry", 202),
    "continue_reply": Route("POST", "replies/<reply>/continue", 202),
    "stop": Route("POST", "replies/<reply>/stop"),
    "choose": Route("POST", "replies/<candidate>/choose"),
    "list_comparisons": Route("GET", "comparisons/"),
    "follow_reply": Route("GET", "replies/<reply>/events"),
    "list_events": Route("GET", "events"),
    "say_typing": Route("POST", "conversations/<conversation>/typing", 204, {"on": True}),
    "acknowledge": Route("POST", "messages/<message>/acknowledge", body={"state": "read"}),
    "read_presence": Route("GET", "conversations/<conversation>/presence"),
    "list_receipts": Route("GET", "messages/<message>/receipts/"),
    "list_integrations": Route("GET", "integrations/"),
    "create_integration": Route(
        "POST", "integrations/", 201, {"name": "Disk alerts", "grants": ["models:use"], "acts_as": None}
    ),
    "read_integration": Route("GET", "integrations/<integration>/"),
    "change_integration": Route("PATCH", "integrations/<integration>/", body={"enabled": True}),
    "remove_integration": Route("DELETE", "integrations/<integration>/", 204),
    "list_keys": Route("GET", "integrations/<integration>/keys/"),
    "create_key": Route("POST", "integrations/<integration>/keys/", 201, {"expires_at": None}),
    "rotate_key": Route("POST", "integrations/<integration>/keys/rotate/", 201, {"overlap_hours": 1}),
    "read_key": Route("GET", "integrations/<integration>/keys/<key>/"),
    "revoke_key": Route("DELETE", "integrations/<integration>/keys/<key>/", 204),
    "post_external_message": Route(
        "POST",
        "intake/messages",
        202,
        {"content": "Disk 93 % full", "conversation": "<conversation>"},
        of_integrations=True,
    ),
    "post_batch": Route(
        "POST",
        "intake/batches",
        body={"items": [{"content": "Disk 93 % full"}]},
        of_integrations=True,
    ),
    "read_external_message": Route("GET", "intake/messages/<message>/"),
    "list_usage": Route("GET", "usage/"),
    "summarise_usage": Route("GET", "usage/summary/"),
    "list_budgets": Route("GET", "budgets/"),
    "add_budget": Route("POST", "budgets/", 201, {"unit": "requests", "period": "day", "limit": "100"}),
    "read_budget": Route("GET", "budgets/<budget>/"),
    "change_budget": Route("PATCH", "budgets/<budget>/", body={"limit": 5}),
    "remove_budget": Route("DELETE", "budgets/<budget>/", 204),
    "list_webhooks": Route("GET", "webhooks/"),
    "add_webhook": Route(
        "POST", "webhooks/", 201, {"url": "https://hooks.example.com/", "types": ["message.*"]}
    ),
    "read_webhook": Route("GET", "webhooks/<webhook>/"),
    "change_webhook": Route("PATCH", "webhooks/<webhook>/", body={"payload": "thin"}),
    "remove_webhook": Route("DELETE", "webhooks/<webhook>/", 204),
    "challenge_webhook": Route("POST", "webhooks/<webhook>/challenge"),
    "disable_webhook": Route("POST", "webhooks/<webhook>/disable"),
    "rotate_webhook_secret": Route("POST", "webhooks/<webhook>/rotate"),
    "redeliver_all": Route("POST", "webhooks/<webhook>/redeliver", body={}),
    "list_deliveries": Route("GET", "webhooks/<webhook>/deliveries/"),
    "read_delivery": Route("GET", "deliveries/<delivery>/"),
    "redeliver": Route("POST", "deliveries/<delivery>/redeliver"),
    "confirm_delivery": Route("POST", "deliveries/<delivery>/status", 204, {"state": "read"}),
    "list_sources": Route("GET", "sources/"),
    "add_source": Route(
        "POST",
        "sources/",
        201,
        {
            "integration": "<integration>",
            "adapter": "generic",
            "name": "Alerts",
            "settings": {"proof": "key", "map": {"content": "$.text"}},
        },
    ),
    "read_source": Route("GET", "sources/<source>/"),
    "change_source": Route("PATCH", "sources/<source>/", body={"enabled": True}),
    "remove_source": Route("DELETE", "sources/<source>/", 204),
    "list_authenticators": Route("GET", "authenticators/"),
    "add_authenticator": Route(
        "POST",
        "authenticators/",
        201,
        {"integration": "<integration>", "name": "Another", "kind": "signature", "secret": SECRET},
    ),
    "read_authenticator": Route("GET", "authenticators/<authenticator>/"),
    "change_authenticator": Route("PATCH", "authenticators/<authenticator>/", body={"enabled": True}),
    "remove_authenticator": Route("DELETE", "authenticators/<authenticator>/", 204),
    "list_identities": Route("GET", "identities/"),
    "add_identity": Route(
        "POST", "identities/", 201, {"user": "<person>", "channel": "sms", "value": "+43 660 7654321"}
    ),
    "read_identity": Route("GET", "identities/<identity>/"),
    "change_identity": Route("PATCH", "identities/<identity>/", body={"verified": True}),
    "remove_identity": Route("DELETE", "identities/<identity>/", 204),
    "list_schedules": Route("GET", "schedules/"),
    "add_schedule": Route(
        "POST",
        "schedules/",
        201,
        {
            "name": "Evening",
            "content": "Good night.",
            "cron": "0 22 * * *",
            "integration": "<clock>",
        },
    ),
    "read_schedule": Route("GET", "schedules/<schedule>/"),
    "change_schedule": Route("PATCH", "schedules/<schedule>/", body={"cron": "0 8 * * *"}),
    "remove_schedule": Route("DELETE", "schedules/<schedule>/", 204),
    "list_schedule_runs": Route("GET", "schedules/<schedule>/runs/"),
}
TAKING_A_BODY = sorted(name for name, route in ROUTES.items() if route.body is not None)


def start(http: Client, **fields: Any) -> dict[str, Any]:
    answer = send(http, "POST", CONVERSATIONS, fields)
    assert answer.status_code == 201, answer.content
    body: dict[str, Any] = answer.json()
    return body


def of(conversation: "Conversation | dict[str, Any]", rest: str = "") -> str:
    found = conversation["id"] if isinstance(conversation, dict) else conversation.id
    return f"{CONVERSATIONS}{found}/{rest}"


def problem_of(answer: Any, status: int) -> dict[str, Any]:
    """The problem document of a refusal, whole and in agreement with its headers."""
    assert answer.status_code == status, (answer.status_code, answer.content[:500])
    assert answer["Content-Type"] == "application/problem+json"
    assert int(answer.get("Content-Length", len(answer.content))) == len(answer.content)
    problem: dict[str, Any] = answer.json()
    assert set(problem) - {"errors"} == {"type", "title", "status", "detail", "instance", "code", "retryable"}
    assert problem["status"] == status
    assert problem["type"] == f"/api/docs/errors#{problem['code']}"
    assert problem["title"]
    assert problem["detail"]
    assert problem["instance"] == answer["X-Request-Id"] != ""
    assert problem["retryable"] is (status in (429, 503))
    assert "Retry-After" in answer or status not in (429, 503)
    assert "WWW-Authenticate" in answer or status != 401
    assert "Allow" in answer or status != 405
    return problem
