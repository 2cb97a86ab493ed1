"""The registry through the API: what a workspace's own people may do to it, and what never leaves it."""

from typing import Any

import pytest
from django.db import connection
from django.test import Client

from chatcore.accounts.models import Membership
from chatcore.accounts.principals import Principal
from chatcore.llm.models import Deployment, Model, Provider
from tests.api import problem_of, send, session_client
from tests.factories import make_model, make_principal

pytestmark = pytest.mark.django_db
SECRET = "sk-only-the-provider-knows"


@pytest.fixture
def owner() -> Principal:
    return make_principal()


@pytest.fixture
def http(owner: Principal) -> Client:
    return session_client(owner)


def ask(http: Client, method: str, path: str, body: Any = None, status: int = 200) -> Any:
    answer = send(http, method, f"/api/v1/{path}", body)
    assert answer.status_code == status, answer.content
    return answer.json() if answer.content else None


def add_provider(http: Client, **fields: Any) -> Any:
    wishes = {"name": "Ours", "kind": "openai", "base_url": "https://llm.example/v1", "credential": SECRET}
    return ask(http, "POST", "providers/", wishes | fields, 201)


def test_from_a_key_to_a_model_that_can_be_chosen(http: Client) -> None:
    provider = add_provider(http)
    model = ask(http, "POST", "models/", {"name": "small", "supports": {"tools": True}}, 201)
    assert ask(http, "GET", "models/")["results"] == []

    wishes = {"model": model["id"], "provider": provider["id"], "upstream_name": "small-2026"}
    deployment = ask(http, "POST", "deployments/", wishes, 201)

    assert ask(http, "GET", "models/")["results"] == [model]
    assert model["supports"] == {"vision": False, "tools": True, "reasoning": False, "json": False}
    assert (model["label"], model["prices"], model["context_window"]) == ("small", None, None)
    assert ask(http, "GET", f"deployments/?model={model['id']}")["results"] == [deployment]
    assert ask(http, "GET", f"deployments/?provider={model['id']}")["results"] == []


def test_how_a_model_chooses_and_what_a_deployment_costs_are_kept(http: Client) -> None:
    provider, model = add_provider(http), ask(http, "POST", "models/", {"name": "small"}, 201)
    assert model["strategy"] == "weighted"
    address = f"models/{model['id']}/"
    assert ask(http, "PATCH", address, {"strategy": "cheapest"})["strategy"] == "cheapest"
    problem = problem_of(send(http, "PATCH", f"/api/v1/{address}", {"strategy": "fastest"}), 422)
    assert problem["errors"][0]["pointer"] == "/strategy"
    prices = {"currency": "USD", "input": 1, "output": 2}
    wishes = {"model": model["id"], "provider": provider["id"], "upstream_name": "small", "prices": prices}
    deployment = ask(http, "POST", "deployments/", wishes, 201)
    assert deployment["prices"] == prices
    assert ask(http, "PATCH", f"deployments/{deployment['id']}/", {"prices": None})["prices"] is None


def test_a_key_is_stored_sealed_and_shown_to_nobody(http: Client) -> None:
    provider = add_provider(http)
    answers = [
        provider,
        ask(http, "GET", f"providers/{provider['id']}/"),
        ask(http, "PATCH", f"providers/{provider['id']}/", {"credential": f"{SECRET}-2"}),
        ask(http, "GET", "providers/"),
    ]
    assert SECRET not in str(answers)
    assert provider["has_credential"] is True
    assert Provider.objects.get(id=provider["id"]).credential == f"{SECRET}-2"
    with connection.cursor() as sql:
        sql.execute("select credential from llm_provider where id = %s", [provider["id"]])
        assert SECRET not in sql.fetchone()[0]


def test_a_stored_key_follows_to_no_other_address(http: Client) -> None:
    address = f"providers/{add_provider(http)['id']}/"
    problem = problem_of(send(http, "PATCH", f"/api/v1/{address}", {"base_url": "https://evil.example"}), 422)
    assert problem["errors"][0]["pointer"] == "/credential"
    assert ask(http, "GET", address)["base_url"] == "https://llm.example/v1"
    moved = ask(http, "PATCH", address, {"base_url": "https://new.example", "credential": "sk-new"})
    assert moved["base_url"] == "https://new.example"


@pytest.mark.parametrize(
    ("kind", "before", "after"),
    [
        ("litellm", {"vendor": "anthropic"}, {"vendor": "huggingface"}),
        ("litellm", {"vendor": "anthropic"}, {"vendor": "anthropic", "access": {"api_version": "2"}}),
        ("litellm", {"vendor": "bedrock", "access": {"aws_region_name": "eu"}}, {"vendor": "bedrock"}),
        ("openai", {}, {"headers": {"Host": "evil.example"}}),
        ("openai", {"extra_body": {"n": 1}}, {"extra_body": {"api_base": "https://evil.example"}}),
    ],
)
def test_a_stored_key_follows_to_no_other_account(
    http: Client, kind: str, before: dict[str, Any], after: dict[str, Any]
) -> None:
    address = f"providers/{add_provider(http, kind=kind, options=before)['id']}/"
    problem = problem_of(send(http, "PATCH", f"/api/v1/{address}", {"options": after}), 422)
    assert (problem["errors"][0]["pointer"], "must be given again" in problem["detail"]) == (
        "/credential",
        True,
    )
    assert ask(http, "GET", address)["options"] == before
    changed = ask(http, "PATCH", address, {"options": after, "credential": ""})
    assert (changed["options"], changed["has_credential"]) == (after, False)


def test_what_the_same_server_is_asked_may_change_without_the_key(http: Client) -> None:
    address = f"providers/{add_provider(http)['id']}/"
    wishes = {"api_version": "2", "include_usage": False, "models": ["one"], "system_role": "developer"}
    changed = ask(http, "PATCH", address, {"options": wishes, "base_url": "https://llm.example/v1/"})
    assert (changed["options"], changed["has_credential"]) == (wishes, True)


@pytest.mark.parametrize(
    ("fields", "pointer", "words"),
    [
        ({"base_url": "http://10.0.0.1:8000/v1"}, "/base_url", "Ask the staff of this server"),
        ({"base_url": "http://localhost:11434/v1"}, "/base_url", "OUTBOUND_ALLOW"),
        ({"base_url": "http://llm.example/v1"}, "/base_url", "Only https"),
        (
            {"kind": "litellm", "options": {"access": {"api_base": "https://x.example"}}},
            "/options",
            "base_url",
        ),
        ({"kind": "litellm", "options": {"access": {"aws_profile_name": "x"}}}, "/options", "Only staff"),
        ({"kind": "litellm", "options": {"access": [1]}}, "/options", "an object"),
        ({"kind": "litellm", "credential": '{"aws_role_name": "x"}'}, "", "Only staff"),
        ({"kind": "litellm", "credential": "{"}, "", "JSON"),
    ],
)
def test_a_provider_of_ones_own_reaches_nothing_of_this_servers(
    http: Client, settings: Any, fields: dict[str, Any], pointer: str, words: str
) -> None:
    wishes = {"name": "x", "kind": "openai", "base_url": ""} | fields
    (error,) = problem_of(send(http, "POST", "/api/v1/providers/", wishes), 422)["errors"]
    assert (error["pointer"], words in error["detail"]) == (pointer, True), error
    assert not Provider.objects.exists()
    if pointer == "/base_url":
        settings.OUTBOUND_ALLOW = ["*"]
        assert ask(http, "POST", "providers/", wishes, 201)["base_url"] == fields["base_url"]


def test_a_name_that_leads_inside_is_not_asked(http: Client, settings: Any) -> None:
    settings.OUTBOUND_ALLOW = ["192.0.2.0/24:*"]
    provider = add_provider(http, base_url="http://localhost:9/v1")
    problem = problem_of(send(http, "POST", f"/api/v1/providers/{provider['id']}/refresh"), 502)
    assert "Its address leads to where this server calls nothing" in problem["detail"]
    assert "OUTBOUND_ALLOW" in problem["detail"]


def test_a_key_that_cannot_be_decrypted_breaks_no_list(http: Client, settings: Any) -> None:
    provider = add_provider(http)
    settings.CREDENTIAL_KEYS = {1: "00" * 32}
    assert ask(http, "GET", "providers/")["results"][0]["has_credential"] is True
    assert ask(http, "PATCH", f"providers/{provider['id']}/", {"enabled": False})["enabled"] is False
    ask(http, "PATCH", f"providers/{provider['id']}/", {"credential": "sk-anew"})
    assert Provider.objects.get(id=provider["id"]).credential == "sk-anew"


@pytest.mark.parametrize(
    ("path", "body", "pointer"),
    [
        ("providers/", {"name": "x", "kind": "nothing"}, "/kind"),
        ("providers/", {"name": "x", "kind": "openai", "base_url": "ftp://a"}, "/base_url"),
        ("providers/", {"name": "x", "kind": "openai", "base_url": "https://me:pw@a/v1"}, "/base_url"),
        ("providers/", {"name": "x", "kind": "openai", "options": {"no such": 1}}, "/options"),
        (
            "providers/",
            {"name": "x", "kind": "openai", "options": {"api_version": "\x00"}},
            "/options/api_version",
        ),
        ("providers/", {"name": "a\x00b", "kind": "openai"}, "/name"),
        ("providers/", {"name": "x", "kind": "openai", "credential": "\ud800"}, "/credential"),
        ("models/", {"name": " "}, "/name"),
        ("models/", {"name": "x", "fallbacks": ["no such"]}, "/fallbacks/0"),
        ("models/", {"name": "x", "visible_to": ["king"]}, "/visible_to/0"),
        ("models/", {"name": "x", "supports": {"flying": True}}, "/supports/flying"),
        (
            "models/",
            {"name": "x", "prices": {"input": {"deep": [{"deeper": [1]}]}}},
            "/prices/input/deep/0/deeper",
        ),
        ("models/", {"name": "x", "context_window": 0}, "/context_window"),
        ("models/", {"name": "x", "prices": {"input": 1.25}}, "/prices"),
        ("models/", {"name": "x", "default_params": {"temperature": "hot"}}, "/default_params"),
    ],
)
def test_what_cannot_be_is_named_and_nothing_is_stored(
    http: Client, path: str, body: dict[str, Any], pointer: str
) -> None:
    problem = problem_of(send(http, "POST", f"/api/v1/{path}", body), 422)
    assert problem["errors"][0]["pointer"].startswith(pointer)
    assert not Provider.objects.exists()
    assert not Model.objects.exists()


def test_a_name_is_taken_once(http: Client) -> None:
    add_provider(http)
    send_again = send(http, "POST", "/api/v1/providers/", {"name": "Ours", "kind": "demo"})
    assert problem_of(send_again, 409)["detail"] == "There is one of that name already."
    ask(http, "POST", "models/", {"name": "small"}, 201)
    assert problem_of(send(http, "POST", "/api/v1/models/", {"name": "small"}), 409)["code"] == "conflict"


def test_what_belongs_to_all_is_seen_and_left_alone(http: Client) -> None:
    shared = make_model("shared", base_url="https://inside.example", credential=SECRET)
    deployment = Deployment.objects.get(model=shared)
    provider = ask(http, "GET", f"providers/{deployment.provider_id}/")
    assert (provider["shared"], provider["base_url"], provider["options"]) == (True, None, None)
    for path in (
        f"providers/{deployment.provider_id}/",
        f"models/{shared.id}/",
        f"deployments/{deployment.id}/",
    ):
        assert ask(http, "GET", path)["shared"] is True
        for method, body in (("PATCH", {"enabled": False}), ("DELETE", None)):
            assert problem_of(send(http, method, f"/api/v1/{path}", body), 403)["code"] == "shared_with_all"


def test_a_model_of_ones_own_asks_a_shared_provider_for_what_a_shared_model_is_there(http: Client) -> None:
    model = ask(http, "POST", "models/", {"name": "own"}, 201)["id"]
    shared = Deployment.objects.get(model=make_model("shared"))
    foreign = add_provider(session_client(make_principal()))["id"]
    wishes = {"model": model, "provider": str(shared.provider_id), "upstream_name": "shared"}

    assert refused_pointer(http, wishes | {"upstream_name": "the-dearest"}) == "/upstream_name"
    assert refused_pointer(http, wishes | {"provider": foreign}) == "/provider"
    assert refused_pointer(http, wishes | {"model": str(shared.model_id)}) == "/model"
    made = ask(http, "POST", "deployments/", wishes, 201)
    answer = send(http, "PATCH", f"/api/v1/deployments/{made['id']}/", {"upstream_name": "the-dearest"})
    assert problem_of(answer, 422)["errors"][0]["pointer"] == "/upstream_name"
    assert ask(http, "PATCH", f"deployments/{made['id']}/", {"priority": 3})["upstream_name"] == "shared"


def own_at(http: Client, shared: Model) -> dict[str, Any]:
    """A deployment of a new model of one's own, for what the shared one asks where it asks it."""
    return {
        "model": ask(http, "POST", "models/", {"name": "own"}, 201)["id"],
        "provider": str(Deployment.objects.get(model=shared).provider_id),
        "upstream_name": "shared",
    }


def refused_pointer(http: Client, wishes: dict[str, Any]) -> Any:
    problem = problem_of(send(http, "POST", "/api/v1/deployments/", wishes), 422)
    return problem["errors"][0]["pointer"]


def test_what_staff_switched_off_at_a_shared_provider_is_not_to_be_had_by_another_name(http: Client) -> None:
    shared = make_model("shared")
    wishes = own_at(http, shared)
    made = ask(http, "POST", "deployments/", wishes, 201)
    Model.objects.filter(pk=shared.pk).update(enabled=False)
    another = ask(http, "POST", "models/", {"name": "another"}, 201)["id"]
    assert refused_pointer(http, wishes | {"model": another}) == "/upstream_name"
    assert ask(http, "PATCH", f"deployments/{made['id']}/", {"enabled": False})["enabled"] is False
    answer = send(http, "PATCH", f"/api/v1/deployments/{made['id']}/", {"enabled": True})
    assert problem_of(answer, 422)["errors"][0]["pointer"] == "/upstream_name"


def test_a_price_that_staff_entered_at_a_shared_provider_stays(http: Client) -> None:
    shared = make_model("shared")
    wishes = own_at(http, shared)
    address = f"/api/v1/deployments/{ask(http, 'POST', 'deployments/', wishes, 201)['id']}/"
    Deployment.objects.filter(model=wishes["model"]).update(prices={"input": 1, "output": 2})
    for prices in (None, {"input": 0, "output": 0}):
        answer = send(http, "PATCH", address, {"prices": prices})
        assert problem_of(answer, 422)["errors"][0]["pointer"] == "/prices"
    assert send(http, "PATCH", address, {"enabled": False}).status_code == 200


def test_what_a_shared_model_is_not_for_everybody_ones_own_in_its_place_is_not_either(http: Client) -> None:
    shared = make_model("shared")
    Model.objects.filter(pk=shared.pk).update(visible_to=["owner", "admin"])
    wishes = own_at(http, shared)
    model = wishes["model"]
    assert refused_pointer(http, wishes) == "/upstream_name"
    ask(http, "PATCH", f"models/{model}/", {"visible_to": ["owner"]})
    ask(http, "POST", "deployments/", wishes, 201)
    problem = problem_of(send(http, "PATCH", f"/api/v1/models/{model}/", {"visible_to": []}), 422)
    assert problem["errors"][0]["detail"].startswith("must leave out member, guest")
    assert ask(http, "GET", f"models/{model}/")["visible_to"] == ["owner"]


def test_no_fallback_leads_to_a_shared_model_that_one_may_not_choose(http: Client) -> None:
    Model.objects.filter(pk=make_model("closed").pk).update(visible_to=["guest"])
    make_model("open")
    ask(http, "POST", "models/", {"name": "own", "fallbacks": ["open"]}, 201)
    answer = send(http, "POST", "/api/v1/models/", {"name": "sly", "fallbacks": ["closed"]})
    assert problem_of(answer, 422)["errors"][0]["pointer"] == "/fallbacks/0"


def test_the_price_at_a_shared_provider_is_not_for_a_workspace_to_name(http: Client) -> None:
    wishes = {
        "model": ask(http, "POST", "models/", {"name": "own"}, 201)["id"],
        "provider": str(Deployment.objects.get(model=make_model("shared")).provider_id),
        "upstream_name": "shared",
    }
    free = {"prices": {"currency": "USD", "input": 0, "output": 0}}
    assert refused_pointer(http, wishes | free) == "/prices"
    made = ask(http, "POST", "deployments/", wishes, 201)
    problem = problem_of(send(http, "PATCH", f"/api/v1/deployments/{made['id']}/", free), 422)
    assert problem["errors"][0]["pointer"] == "/prices"
    assert ask(http, "PATCH", f"deployments/{made['id']}/", {"prices": None})["prices"] is None


def test_fallbacks_keep_their_order_and_one_model_is_the_default(http: Client, owner: Principal) -> None:
    first, second = (ask(http, "POST", "models/", {"name": name}, 201) for name in ("first", "second"))
    wishes = {"name": "third", "fallbacks": ["second", "first"], "is_default": True}
    third = ask(http, "POST", "models/", wishes, 201)
    assert third["fallbacks"] == ["second", "first"]
    assert third["is_default"] is True

    changed = ask(http, "PATCH", f"models/{first['id']}/", {"is_default": True, "fallbacks": ["third"]})
    assert (changed["is_default"], changed["fallbacks"]) == (True, ["third"])
    assert ask(http, "GET", f"models/{third['id']}/")["is_default"] is False
    assert Model.objects.filter(workspace=owner.workspace, is_default=True).count() == 1
    ask(http, "DELETE", f"models/{second['id']}/", status=204)
    assert ask(http, "GET", f"models/{third['id']}/")["fallbacks"] == ["first"]


def test_a_member_uses_models_and_manages_nothing(http: Client, owner: Principal) -> None:
    add_provider(http)
    hidden = ask(http, "POST", "models/", {"name": "hidden"}, 201)
    member = session_client(make_principal(workspace=owner.workspace, role=Membership.Role.MEMBER))
    assert ask(member, "GET", "models/")["results"] == []
    ask(member, "GET", f"models/{hidden['id']}/", status=404)
    for path in ("models/?all=true", "providers/", "deployments/"):
        ask(member, "GET", path, status=403)
    assert [row["name"] for row in ask(http, "GET", "models/?all=true")["results"]] == ["hidden"]


def test_a_list_of_models_is_followed(http: Client) -> None:
    provider = add_provider(http, name="Demonstration", kind="demo", base_url="", credential="")
    address = f"providers/{provider['id']}/refresh"
    assert ask(http, "POST", address)["added"] == ["demo"]
    assert [row["name"] for row in ask(http, "GET", "models/")["results"]] == ["demo"]
    assert ask(http, "POST", address) == {"added": [], "offered": [], "vanished": [], "returned": []}


def test_a_provider_that_does_not_answer_is_a_problem_in_words(http: Client, settings: Any) -> None:
    settings.OUTBOUND_ALLOW = ["127.0.0.1:*"]
    provider = add_provider(http, base_url="http://127.0.0.1:9/v1")
    answer = send(http, "POST", f"/api/v1/providers/{provider['id']}/refresh")
    assert problem_of(answer, 502)["code"] == "provider_failed"
    assert not Model.objects.exists()


def test_what_may_be_asked_of_a_model_is_told_with_its_limits(http: Client) -> None:
    model = ask(
        http, "POST", "models/", {"name": "small", "max_output": 900, "default_params": {"seed": 3}}, 201
    )
    told = ask(http, "GET", f"models/{model['id']}/parameters/")["properties"]
    assert told["max_tokens"]["maximum"] == 900
    assert told["seed"]["default"] == 3
    assert (told["temperature"]["minimum"], told["temperature"]["maximum"]) == (0, 2)
    assert "reasoning_effort" not in told
