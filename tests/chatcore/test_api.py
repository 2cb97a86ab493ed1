"""The API's document: valid, complete, true to what the doors do, and enough for a newcomer."""

import re
from collections.abc import Iterator
from typing import Any

import jsonschema
import pytest
import schemathesis
from django.urls import URLPattern

from chatcore import api
from chatcore.accounts.openapi import SECURITY_SCHEMES
from tests.api import ROUTES, TAKING_A_BODY, Place, key_client, make_client, make_place, problem_of, send
from tests.factories import make_model, make_principal

COMPONENTS = {
    "AcknowledgementBody",
    "Attachment",
    "AttachedFile",
    "Attempt",
    "Batch",
    "BatchResult",
    "Authenticator",
    "AuthenticatorChanges",
    "AuthenticatorPage",
    "Budget",
    "BudgetChanges",
    "BudgetPage",
    "Comparison",
    "ComparisonPage",
    "Conversation",
    "ConversationChanges",
    "ConversationPage",
    "Delivery",
    "DeliveryAttempt",
    "DeliveryDetail",
    "DeliveryPage",
    "DeliveryState",
    "Deployment",
    "DeploymentChanges",
    "DeploymentPage",
    "EditedMessage",
    "EventFrame",
    "EventPage",
    "EventQuery",
    "Integration",
    "IntegrationChanges",
    "IntegrationConstraints",
    "IntegrationPage",
    "Key",
    "KeyPage",
    "MadeKey",
    "ExternalMessage",
    "Handle",
    "Intake",
    "Identity",
    "IdentityChanges",
    "IdentityPage",
    "Message",
    "MessagePage",
    "Model",
    "ModelChanges",
    "ModelChoice",
    "ModelPage",
    "NewAuthenticator",
    "NewAttachment",
    "NewBudget",
    "NewConversation",
    "NewIntegration",
    "NewKey",
    "NewDeployment",
    "NewExternalMessage",
    "NewIdentity",
    "NewMessage",
    "NewModel",
    "NewProvider",
    "NewWebhook",
    "NewSource",
    "NewSchedule",
    "Posted",
    "Presence",
    "PresenceList",
    "Problem",
    "Provider",
    "ProviderChanges",
    "ProviderPage",
    "Question",
    "Receipt",
    "ReceiptPage",
    "Redelivered",
    "Redelivery",
    "Refreshed",
    "Source",
    "SourceChanges",
    "SourcePage",
    "Rotation",
    "Responder",
    "Schedule",
    "ScheduleChanges",
    "SchedulePage",
    "ScheduleRun",
    "ScheduleRunPage",
    "Sums",
    "ThreadName",
    "ToolCall",
    "TypingBody",
    "Usage",
    "UsagePage",
    "UsageSummary",
    "UserName",
    "Webhook",
    "WebhookChanges",
    "WebhookPage",
    "WebhookSecret",
}


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    return api.document()


def operations(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for address, found in document["paths"].items():
        for method, operation in found.items():
            yield method, address, operation


def operation_of(document: dict[str, Any], name: str) -> dict[str, Any]:
    return next(found for _, _, found in operations(document) if found["operationId"] == name)


def validator(document: dict[str, Any], schema: dict[str, Any]) -> jsonschema.Draft202012Validator:
    return jsonschema.Draft202012Validator(
        {"components": document["components"]} | schema,
        format_checker=jsonschema.Draft202012Validator.FORMAT_CHECKER,
    )


def test_it_is_valid_openapi(document: dict[str, Any]) -> None:
    assert document["openapi"].startswith("3.1.")
    schemathesis.openapi.from_dict(document).validate()
    for schema in document["components"]["schemas"].values():
        jsonschema.Draft202012Validator.check_schema(schema)


def test_whatever_it_refers_to_is_there(document: dict[str, Any]) -> None:
    references = set(re.findall(r"'\$ref': '#/([^']+)'", str(document)))
    assert references
    for reference in references:
        found = document
        for step in reference.split("/"):
            found = found[step]


def test_components_bear_names_that_say_what_they_are(document: dict[str, Any]) -> None:
    assert set(document["components"]["schemas"]) == COMPONENTS


def patterns() -> Iterator[URLPattern]:
    yield from api.resources[:-1]
    yield from (found for found in api.live.urls[0] if found.name != "api-root")


def test_every_route_is_in_it_and_nothing_else(document: dict[str, Any]) -> None:
    routed = {f"/api/v1/{re.sub('<[a-z]+:', '<', str(one.pattern))}" for one in patterns()}
    described = {address.replace("{", "<").replace("}", ">") for address in document["paths"]}
    assert described == routed
    assert {found["operationId"] for _, _, found in operations(document)} == set(ROUTES)
    for name, route in ROUTES.items():
        address = re.sub(r"<\w+>", "{id}", f"/api/v1/{route.path}", count=1)
        address = re.sub(r"<(\w+)>", r"{\1}", address)
        assert document["paths"][address][route.method.lower()]["operationId"] == name


def test_every_operation_is_explained(document: dict[str, Any]) -> None:
    tags = {tag["name"] for tag in document["tags"]}
    for _, address, operation in operations(document):
        assert operation["summary"]
        assert operation["description"]
        assert set(operation["tags"]) < tags
        assert operation["security"] == [{name: []} for name in SECURITY_SCHEMES]
        for parameter in operation.get("parameters", ()):
            assert parameter["in"] == "path" or parameter["description"], (address, parameter)
        for answer in operation["responses"].values():
            assert answer.get("description") or answer["$ref"].startswith("#/components/responses/")


def test_every_operation_names_its_refusals(document: dict[str, Any]) -> None:
    for method, _, operation in operations(document):
        refusals = {int(status) for status in operation["responses"] if status >= "400"}
        assert {400, 401, 403, 404, 422, 503} <= refusals
        assert ({409, 413, 415} <= refusals) == (method in ("post", "patch"))
    for name, answer in document["components"]["responses"].items():
        content = answer["content"]["application/problem+json"]
        validator(document, content["schema"]).validate(content["example"])
        assert content["example"]["title"] == answer["description"], name
    refused = operation_of(document, "refresh_provider")["responses"]["502"]
    assert refused == {"$ref": "#/components/responses/ProviderFailed"}


def test_commands_that_reply_describe_all_three_ways(document: dict[str, Any]) -> None:
    for name in ("ask", "edit_message", "regenerate", "retry", "continue_reply"):
        operation = operation_of(document, name)
        assert set(operation["responses"]["200"]["content"]) == {"application/json", "text/event-stream"}
        assert set(operation["responses"]["202"]["content"]) == {"application/json"}
        assert "Location" in operation["responses"]["202"]["headers"]
        assert "Prefer" in {parameter["name"] for parameter in operation["parameters"]}


@pytest.fixture
def place(db: None) -> Place:
    make_model()
    return make_place(make_principal())


@pytest.mark.parametrize("name", TAKING_A_BODY)
def test_the_example_of_a_body_fits_its_schema_and_is_accepted(
    document: dict[str, Any], place: Place, name: str
) -> None:
    content = operation_of(document, name)["requestBody"]["content"]["application/json"]
    validator(document, content["schema"]).validate(content["example"])
    client = key_client(make_principal(place.conversation.owner, place.conversation.workspace))
    route = ROUTES[name]
    body = content["example"] | route.named(place.ids)
    answer = send(client, route.method, route.address(place.ids), body)
    assert answer.status_code == route.status, answer.content


@pytest.mark.parametrize("name", ROUTES)
def test_an_answer_is_what_the_document_promises(document: dict[str, Any], place: Place, name: str) -> None:
    client = key_client(make_principal(place.conversation.owner, place.conversation.workspace))
    answer = ROUTES[name].ask(client, place.ids)
    promised = operation_of(document, name)["responses"][str(answer.status_code)]
    if "application/octet-stream" in promised.get("content", ()):
        assert answer.content == b"Some notes."
    elif "application/json" in promised.get("content", ()):
        validator(document, promised["content"]["application/json"]["schema"]).validate(answer.json())
    else:
        assert answer.content == b""


def test_a_refusal_is_what_the_document_promises(document: dict[str, Any], place: Place) -> None:
    schema = {"$ref": "#/components/schemas/Problem"}
    for name in TAKING_A_BODY:
        client = key_client(make_principal(place.conversation.owner, place.conversation.workspace))
        answer = send(client, ROUTES[name].method, ROUTES[name].address(place.ids), {"no such": "field"})
        validator(document, schema).validate(problem_of(answer, 422))


def test_anybody_may_read_it(db: None) -> None:
    client = make_client()
    assert client.get("/api/v1/openapi.json").json() == api.document()
    page = client.get("/api/docs").content.decode()
    assert 'data-document="/api/v1/openapi.json"' in page
    assert re.search(r"<script>|style=|https?://", page) is None
