import html
import json
import re
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from pytest_django import Settings

from chatcore.accounts.models import User, Workspace
from chatcore.llm import breakers
from chatcore.llm.errors import ProviderError
from chatcore.llm.models import FROM_ENVIRONMENT, Model, Provider
from chatcore.llm.traffic import DeploymentHealth
from tests.llm.factories import make_deployment, make_model, make_provider
from tests.upstreams.plans import refusal
from tests.upstreams.server import Upstream

pytestmark = pytest.mark.django_db
SECRET = "sk-a-very-secret-key"


@pytest.fixture
def staff() -> Client:
    client = Client()
    client.force_login(User.objects.create_superuser("staff@example.com", "x"))
    return client


def page(client: Client, name: str, *args: Any) -> str:
    answer = client.get(reverse(f"admin:llm_{name}", args=args))
    assert answer.status_code == 200
    return html.unescape(answer.content.decode())


def provider_form(**fields: Any) -> dict[str, Any]:
    return {"name": "New", "kind": "openai", "base_url": "", "options": "{}", "enabled": "on", **fields}


def save(client: Client, provider: Provider, **fields: Any) -> Provider:
    address = reverse("admin:llm_provider_change", args=[provider.pk])
    answer = client.post(address, provider_form(name=provider.name, **fields))
    assert answer.status_code == 302
    return Provider.objects.get(pk=provider.pk)


def test_every_list_and_form_opens(staff: Client) -> None:
    deployment = make_deployment()
    for kind, pk in (
        ("provider", deployment.provider_id),
        ("model", deployment.model_id),
        ("deployment", deployment.pk),
    ):
        page(staff, f"{kind}_changelist")
        page(staff, f"{kind}_add")
        page(staff, f"{kind}_change", pk)


def test_a_new_provider_leads_to_its_models_and_the_chosen_ones_are_there(
    staff: Client, upstream: Upstream
) -> None:
    upstream.plan("/v1/models", pieces=("one", "two", "three"))
    form = provider_form(base_url=f"{upstream.url}/v1", new_credential=SECRET)
    answer = staff.post(reverse("admin:llm_provider_add"), form)
    provider = Provider.objects.get()
    models_page = reverse("admin:llm_provider_models", args=[provider.pk])
    assert (answer.status_code, answer["Location"]) == (302, models_page)
    assert provider.credential == SECRET
    shown = page(staff, "provider_models", provider.pk)
    assert all(f'value="{name}"' in shown for name in ("one", "two", "three"))
    assert upstream.requests[-1].headers["Authorization"] == f"Bearer {SECRET}"
    staff.post(models_page, {"name": ["one", "two"], "typed": "four\nfive"})
    assert set(Model.objects.reachable().values_list("name", flat=True)) == {"one", "two", "four", "five"}
    assert 'value="one" checked disabled' in page(staff, "provider_models", provider.pk)


def test_a_key_is_shown_nowhere(staff: Client) -> None:
    provider = make_provider("openai", base_url="http://127.0.0.1:9/v1", credential=SECRET)
    make_deployment(make_model(), provider)
    for name, *args in (
        ("provider_changelist",),
        ("provider_change", provider.pk),
        ("provider_history", provider.pk),
        ("provider_models", provider.pk),
        ("deployment_changelist",),
    ):
        shown = page(staff, name, *args)
        assert SECRET not in shown
        assert "v1:" not in shown


def test_a_key_is_kept_until_another_is_typed(staff: Client) -> None:
    provider = make_provider("openai", credential=SECRET, options={FROM_ENVIRONMENT: "OPENAI_API_KEY"})
    options = json.dumps(provider.options)
    kept = save(staff, provider, options=options)
    assert (kept.credential, kept.options) == (SECRET, {FROM_ENVIRONMENT: "OPENAI_API_KEY"})
    replaced = save(staff, provider, options=options, new_credential=" sk-another ")
    # A key that a person typed no longer follows the environment.
    assert (replaced.credential, replaced.options) == ("sk-another", {})
    assert replaced.updated_at > kept.updated_at


@pytest.mark.parametrize(
    "changes",
    [
        {"base_url": "http://127.0.0.2:9/v1"},
        {"base_url": ""},
        {"kind": "litellm"},
        {"kind": "litellm", "service": "anthropic", "base_url": ""},
        {"options": '{"headers": {"Host": "evil.example"}}'},
    ],
)
def test_a_stored_key_follows_to_no_other_account(staff: Client, changes: dict[str, str]) -> None:
    provider = make_provider("openai", base_url="http://127.0.0.1:9/v1", credential=SECRET)
    form = provider_form(name=provider.name, base_url=provider.base_url) | changes
    address = reverse("admin:llm_provider_change", args=[provider.pk])
    answer = staff.post(address, form)
    assert "Type it here, or undo the change." in html.unescape(answer.content.decode())
    kept = Provider.objects.get(pk=provider.pk)
    assert (kept.kind, kept.base_url, kept.options) == ("openai", "http://127.0.0.1:9/v1", {})
    assert staff.post(address, form | {"new_credential": "sk-new"}).status_code == 302
    assert Provider.objects.get(pk=provider.pk).credential == "sk-new"


def test_a_provider_of_one_workspace_is_where_its_own_people_could_put_it(staff: Client) -> None:
    workspace = Workspace.objects.create(name="Somebody's")
    form = provider_form(base_url="http://127.0.0.1:11434/v1", workspace=str(workspace.pk))
    shown = html.unescape(staff.post(reverse("admin:llm_provider_add"), form).content.decode())
    assert "they can add it for all workspaces" in shown
    assert staff.post(reverse("admin:llm_provider_add"), form | {"workspace": ""}).status_code == 302


def test_a_provider_whose_key_is_lost_can_be_opened_and_given_a_new_one(
    staff: Client, settings: Settings
) -> None:
    provider = make_provider("openai", base_url="http://127.0.0.1:9/v1", credential=SECRET)
    deployment = make_deployment(make_model(), provider)
    settings.CREDENTIAL_KEYS = {1: "55" * 32}
    page(staff, "provider_changelist")
    page(staff, "deployment_changelist")
    page(staff, "model_change", deployment.model_id)
    assert "does not decrypt" in page(staff, "provider_models", provider.pk)
    assert save(staff, provider, new_credential="sk-new").credential == "sk-new"


def test_what_is_wrong_with_a_provider_is_said(staff: Client) -> None:
    form = provider_form(base_url="localhost:8000", options='{"no_such_option": 1}')
    answer = staff.post(reverse("admin:llm_provider_add"), form)
    assert answer.status_code == 200
    assert "The address must start with https://" in answer.content.decode()
    answer = staff.post(reverse("admin:llm_provider_add"), provider_form(options='{"no_such_option": 1}'))
    assert "Not an option here: no_such_option." in answer.content.decode()
    assert not Provider.objects.exists()


def test_a_provider_that_lists_nothing_says_why(staff: Client, upstream: Upstream) -> None:
    upstream.plan("/v1/models", refusal(401, f"wrong key {SECRET}"))
    provider = make_provider("openai", base_url=f"{upstream.url}/v1", credential=SECRET)
    shown = page(staff, "provider_models", provider.pk)
    assert "It refused the key. Type the right one" in shown
    assert "auth: 401: wrong key" in shown
    assert reverse("admin:llm_provider_change", args=[provider.pk]) + '">Correct the provider' in shown
    assert SECRET not in shown


def test_a_provider_with_an_empty_list_asks_for_names(staff: Client, upstream: Upstream) -> None:
    upstream.plan("/v1/models", pieces=())
    provider = make_provider("openai", name="Bare", base_url=f"{upstream.url}/v1")
    make_deployment(make_model("by hand"), provider)
    shown = page(staff, "provider_models", provider.pk)
    assert "Bare lists no models. Type the names it knows." in shown
    assert "It has already: by hand." in shown


def test_choosing_nothing_is_said_and_leads_nowhere(staff: Client) -> None:
    address = reverse("admin:llm_provider_models", args=[make_provider().pk])
    answer = staff.post(address, {"typed": " "})
    assert answer.status_code == 200
    assert "Nothing was chosen" in answer.content.decode()
    assert not Model.objects.exists()


def test_choosing_is_for_one_provider_at_a_time(staff: Client) -> None:
    first, second = make_provider(), make_provider()
    address = reverse("admin:llm_provider_changelist")
    answer = staff.post(address, {"action": "choose_models", "_selected_action": [str(first.pk)]})
    assert answer["Location"] == reverse("admin:llm_provider_models", args=[first.pk])
    answer = staff.post(
        address, {"action": "choose_models", "_selected_action": [str(first.pk), str(second.pk)]}
    )
    assert answer["Location"].endswith(address)


def test_refreshing_says_what_has_changed_at_each_provider(staff: Client, upstream: Upstream) -> None:
    upstream.plan("/v1/models", pieces=("one", "two"))
    there = make_provider("openai", base_url=f"{upstream.url}/v1")
    make_deployment(make_model("gone"), there)
    broken = make_provider("openai", base_url="http://127.0.0.1:9/v1", credential=SECRET)
    answer = staff.post(
        reverse("admin:llm_provider_changelist"),
        {"action": "refresh_models", "_selected_action": [str(there.pk), str(broken.pk)]},
        follow=True,
    )
    shown = html.unescape(answer.content.decode())
    assert f"{str(there).capitalize()}: added: one, two; no longer listed: gone." in shown
    assert f"{str(broken).capitalize()}: It cannot be reached. Check the address" in shown
    assert SECRET not in shown


def test_a_service_fills_in_where_it_is_and_how_it_is_spoken_to(staff: Client) -> None:
    form = provider_form(kind="", service="mistral", new_credential=SECRET)
    assert staff.post(reverse("admin:llm_provider_add"), form).status_code == 302
    provider = Provider.objects.get()
    assert (provider.kind, provider.base_url) == ("openai", "https://api.mistral.ai/v1")
    assert provider.options == {"include_usage": False}


def test_a_service_without_common_address_asks_for_it(staff: Client) -> None:
    form = provider_form(kind="", service="azure")
    shown = staff.post(reverse("admin:llm_provider_add"), form).content.decode()
    assert "another address for each customer" in shown
    form["base_url"] = "https://mine.openai.azure.com"
    assert staff.post(reverse("admin:llm_provider_add"), form).status_code == 302
    assert "api_version" in Provider.objects.get().options


def test_neither_service_nor_kind_is_not_enough(staff: Client) -> None:
    answer = staff.post(reverse("admin:llm_provider_add"), provider_form(kind=""))
    assert "Choose a service or a kind" in answer.content.decode()


def test_the_default_is_moved_by_an_action(staff: Client) -> None:
    before, after = make_model(is_default=True), make_model()
    staff.post(
        reverse("admin:llm_model_changelist"), {"action": "make_default", "_selected_action": [str(after.pk)]}
    )
    assert list(Model.objects.filter(is_default=True)) == [after]
    assert before != after


@pytest.mark.parametrize("fields", [{}, {"is_staff": True}])
def test_who_may_not_change_providers_does_not_see_their_models(fields: dict[str, bool]) -> None:
    provider = make_provider()
    client = Client()
    client.force_login(User.objects.create_user("person@example.com", "x", **fields))
    for method in (client.get, client.post):
        answer = method(reverse("admin:llm_provider_models", args=[provider.pk]))
        assert answer.status_code in {302, 403}
    assert not Model.objects.exists()


def test_an_open_breaker_is_seen_with_its_reason_and_closed_by_hand(staff: Client) -> None:
    deployment = make_deployment(make_model("small"), make_provider(name="Flaky"))
    breakers.note_failure(deployment.pk, ProviderError("auth", "401: wrong key"))

    assert re.search(r"is not asked until \d\d:\d\d:\d\d UTC \(auth\)", page(staff, "deployment_changelist"))
    shown = page(staff, "deploymenthealth_changelist")
    assert "small at Flaky" in shown
    assert "auth: 401: wrong key" in shown
    assert "401: wrong key" in page(staff, "deploymenthealth_change", deployment.pk)
    assert "open: is not asked until" in shown
    form = {"action": "ask_again", "_selected_action": [str(deployment.pk)]}
    assert (
        "1 closed"
        in staff.post(reverse("admin:llm_deployment_changelist"), form, follow=True).content.decode()
    )
    assert not breakers.is_open(DeploymentHealth.objects.get())
    breakers.note_failure(deployment.pk, ProviderError("auth", "401: wrong key"))
    form = {"action": "close_breakers", "_selected_action": [str(deployment.pk)]}
    answer = staff.post(reverse("admin:llm_deploymenthealth_changelist"), form, follow=True)
    assert "1 closed" in answer.content.decode()
    assert not breakers.is_open(DeploymentHealth.objects.get())
    assert staff.get(reverse("admin:llm_deploymenthealth_add")).status_code == 403


def test_the_strategy_of_a_model_is_chosen_from_those_there_are(staff: Client) -> None:
    model = make_model()
    shown = page(staff, "model_change", model.pk)
    assert "Least busy: fewest answers under way" in shown
    assert "Cheapest: an unknown price comes last" in shown


def model_form(model: Model, **fields: Any) -> dict[str, Any]:
    """With one deployment and one fallback to be added."""
    rows = ("deployments", "fallback_links")
    counts = {f"{row}-TOTAL_FORMS": "1" for row in rows} | {f"{row}-INITIAL_FORMS": "0" for row in rows}
    return {
        "label": model.label,
        "name": model.name,
        "strategy": "weighted",
        "default_params": "{}",
        "enabled": "on",
        "deployments-0-priority": "0",
        "deployments-0-weight": "1",
        "deployments-0-enabled": "on",
        "fallback_links-0-position": "0",
        **counts,
        **fields,
    }


def test_a_shared_model_falls_back_on_no_workspaces_own(staff: Client) -> None:
    model, shared = make_model(), make_model()
    private = make_model(workspace=Workspace.objects.create(name="Theirs"))
    address = reverse("admin:llm_model_change", args=[model.pk])

    refused = staff.post(address, model_form(model, **{"fallback_links-0-to": str(private.pk)}))
    assert refused.status_code == 200
    assert "belongs to another workspace than the one it answers for" in refused.content.decode()

    assert (
        staff.post(address, model_form(model, **{"fallback_links-0-to": str(shared.pk)})).status_code == 302
    )
    assert list(model.fallbacks.all()) == [shared]


def test_a_deployment_or_fallback_of_which_half_is_typed_is_refused_in_words(staff: Client) -> None:
    model = make_model()
    address = reverse("admin:llm_model_change", args=[model.pk])
    for typed in ({"deployments-0-upstream_name": "x"}, {"fallback_links-0-position": "3"}):
        answer = staff.post(address, model_form(model, **typed))
        assert answer.status_code == 200
        assert "This field is required" in answer.content.decode()
    wishes = {"model": str(model.pk), "upstream_name": "x", "priority": "0", "weight": "1"}
    answer = staff.post(reverse("admin:llm_deployment_add"), wishes)
    assert answer.status_code == 200
    assert "This field is required" in answer.content.decode()


def new_model_form(**fields: Any) -> dict[str, Any]:
    """Without any deployment or fallback."""
    model = Model(name="small", label="Small")
    empty = {f"{row}-TOTAL_FORMS": "0" for row in ("deployments", "fallback_links")}
    return model_form(model, **{"prices": "", **empty, **fields})


def add_model(client: Client, **fields: Any) -> str:
    """What the page says to a model that cannot be; "": it was added."""
    answer = client.post(reverse("admin:llm_model_add"), new_model_form(**fields))
    return "" if answer.status_code == 302 else html.unescape(answer.content.decode())


def test_who_may_choose_a_model_is_ticked(staff: Client) -> None:
    assert add_model(staff, visible_to=["owner", "admin"]) == ""
    model = Model.objects.get()
    assert (model.visible_to, model.prices, model.default_params) == (["owner", "admin"], None, {})
    shown = page(staff, "model_change", model.pk)
    assert re.findall(r'value="(\w+)"[^>]* checked', shown)[:2] == ["owner", "admin"]
    assert ">null<" not in shown.replace("\n", "")


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        (
            {"prices": '{"in": 1, "out": 2}'},
            "Prices need both input and output: input and output is missing.",
        ),
        ({"prices": '{"input": 1, "output": 2, "cache": 1}'}, "Not a price: cache."),
        (
            {"prices": '{"input": "free", "output": -1}'},
            "input must be a number from 0 to a thousand million",
        ),
        ({"prices": '{"input": 1, "output": 2, "currency": "dollars"}'}, "three letters"),
        ({"prices": "3"}, "Prices are an object"),
        ({"default_params": '{"temperature": 9}'}, "temperature must be less than or equal to 2"),
    ],
)
def test_a_price_or_a_parameter_that_cannot_be_is_refused_in_words(
    staff: Client, fields: dict[str, str], words: str
) -> None:
    assert words in add_model(staff, **fields)
    assert not Model.objects.exists()


def test_a_name_that_is_taken_is_refused_in_words(staff: Client) -> None:
    make_model("small")
    make_provider(name="Ours")
    assert "There is a model of that name already." in add_model(staff)
    answer = staff.post(reverse("admin:llm_provider_add"), provider_form(name="Ours"))
    assert "There is a provider of that name already." in answer.content.decode()


def test_a_model_says_where_it_is_answered(staff: Client) -> None:
    make_deployment(make_model("small"), make_provider(name="Here"))
    make_model("lonely")
    shown = page(staff, "model_changelist")
    assert ">Here<" in shown
    assert "nowhere: add a deployment" in shown


def test_what_a_new_server_needs_comes_first(staff: Client) -> None:
    shown = staff.get(reverse("admin:index")).content.decode()
    names = ("Models and providers", "Usage and budgets", "Workspaces and access", "Procrastinate")
    places = [shown.index(name) for name in names]
    assert places == sorted(places)
