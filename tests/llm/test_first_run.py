import socket
from collections.abc import Iterator

import pytest
from pytest_django import Settings

from chatcore.llm import first_run
from chatcore.llm.catalogue import ACCOUNTS, Account
from chatcore.llm.environment import Found, detect
from chatcore.llm.first_run import register_environment_providers
from chatcore.llm.kinds import kinds
from chatcore.llm.models import Model, Provider
from tests.llm.factories import make_model
from tests.upstreams.plans import Plan, refusal
from tests.upstreams.server import Upstream

VARIABLES = [account.variable for account in ACCOUNTS]


def by_name(environ: dict[str, str]) -> dict[str, Found]:
    return {found.name: found for found in detect(environ)}


@pytest.mark.parametrize("account", ACCOUNTS, ids=lambda account: account.name)
def test_every_key_opens_its_provider(account: Account) -> None:
    (found,) = detect({account.variable: " sk-key "})
    assert (found.name, found.settings.credential, found.variable) == (
        account.name,
        "sk-key",
        account.variable,
    )
    assert found.models
    assert found.settings.options.keys() <= kinds()[found.settings.kind].OPTIONS.keys()


def test_nothing_set_is_nothing_found() -> None:
    assert detect({}) == []
    assert detect(dict.fromkeys(VARIABLES, "  ")) == []


def test_keys_are_found_in_the_order_of_preference() -> None:
    found = detect(dict.fromkeys(reversed(VARIABLES), "key"))
    assert [each.variable for each in found] == VARIABLES


def test_a_base_url_alone_is_a_server_without_key() -> None:
    (found,) = detect({"OPENAI_BASE_URL": "http://localhost:8000/v1/"})
    assert found.name == "OpenAI-compatible (localhost:8000)"
    assert (found.settings.base_url, found.settings.credential) == ("http://localhost:8000/v1", "")
    assert not found.models


def test_a_key_with_a_base_url_is_for_that_address_only() -> None:
    (found,) = detect({"OPENAI_API_KEY": "sk-key", "OPENAI_BASE_URL": "https://proxy.example/v1"})
    assert (found.settings.base_url, found.settings.credential) == ("https://proxy.example/v1", "sk-key")


def test_openais_own_address_is_openai() -> None:
    (found,) = detect({"OPENAI_API_KEY": "sk-key", "OPENAI_BASE_URL": "https://api.openai.com/v1"})
    assert found.name == "OpenAI"
    assert found.models


@pytest.mark.parametrize("variable", ["OPENAI_BASE_URL", "AZURE_API_BASE"])
def test_an_address_that_cannot_be_used_is_said_and_passed_over(
    variable: str, caplog: pytest.LogCaptureFixture
) -> None:
    assert detect({variable: "localhost:8000", "AZURE_API_KEY": "key"}) == []
    assert f"{variable} is not used" in caplog.text


def test_azure_needs_its_address() -> None:
    assert detect({"AZURE_API_KEY": "key"}) == []
    environ = {
        "AZURE_API_KEY": "key",
        "AZURE_API_BASE": "https://x.openai.azure.com/",
        "AZURE_API_VERSION": "v",
    }
    settings = by_name(environ)["Azure OpenAI"].settings
    assert (settings.base_url, settings.options["api_version"]) == ("https://x.openai.azure.com", "v")


def test_bedrock_needs_a_region_and_keeps_no_key() -> None:
    keys = {"AWS_ACCESS_KEY_ID": "id", "AWS_SECRET_ACCESS_KEY": "secret"}
    assert detect(keys) == []
    (found,) = detect({**keys, "AWS_REGION": "eu-central-1"})
    assert (found.name, found.settings.credential) == ("Amazon Bedrock", "")
    assert found.settings.options["access"] == {"aws_region_name": "eu-central-1"}


def test_vertex_needs_a_project_and_credentials() -> None:
    assert detect({"GOOGLE_APPLICATION_CREDENTIALS": "/key.json"}) == []
    (found,) = detect({"GOOGLE_APPLICATION_CREDENTIALS": "/key.json", "VERTEXAI_PROJECT": "p"})
    assert found.settings.options["access"] == {"vertex_project": "p", "vertex_location": "global"}


@pytest.fixture
def environ(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """An environment without keys, on a machine without Ollama."""
    for name in (*VARIABLES, "OPENAI_BASE_URL", "AZURE_API_KEY", "AWS_ACCESS_KEY_ID", "CHATCORE_NO_DETECT"):
        monkeypatch.delenv(name, raising=False)
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        monkeypatch.setattr(first_run, "OLLAMA", f"http://127.0.0.1:{nobody.getsockname()[1]}")
        yield monkeypatch


def default() -> str:
    return Model.objects.get(is_default=True).name


def names() -> set[str]:
    return set(Model.objects.values_list("name", flat=True))


@pytest.mark.django_db
class TestRegister:
    @pytest.mark.usefixtures("environ")
    def test_nothing_set_leaves_the_demo(self) -> None:
        assert register_environment_providers() == []
        assert (names(), default()) == ({"demo"}, "demo")
        assert Model.objects.reachable().get().name == "demo"

    def test_a_key_becomes_a_provider_and_its_first_model_the_default(
        self, environ: pytest.MonkeyPatch
    ) -> None:
        environ.setenv("ANTHROPIC_API_KEY", "sk-ant")
        assert register_environment_providers() == ["Anthropic"]
        provider = Provider.objects.get(name="Anthropic")
        assert (provider.kind, provider.credential, provider.options["vendor"]) == (
            "litellm",
            "sk-ant",
            "anthropic",
        )
        provider.full_clean()
        assert default() == "claude-sonnet-5-5"
        assert "demo" in names()

    def test_again_changes_nothing(self, environ: pytest.MonkeyPatch) -> None:
        environ.setenv("ANTHROPIC_API_KEY", "sk-ant")
        register_environment_providers()
        Model.objects.filter(name="claude-opus-5-5").delete()
        before = names()
        assert register_environment_providers() == []
        assert names() == before

    def test_a_key_that_changed_in_the_environment_is_followed(self, environ: pytest.MonkeyPatch) -> None:
        for key in ("sk-old", "sk-new"):
            environ.setenv("ANTHROPIC_API_KEY", key)
            register_environment_providers()
        assert Provider.objects.get(name="Anthropic").credential == "sk-new"

    def test_no_key_follows_a_provider_to_another_address(self, environ: pytest.MonkeyPatch) -> None:
        environ.setenv("ANTHROPIC_API_KEY", "sk-old")
        register_environment_providers()
        Provider.objects.filter(name="Anthropic").update(base_url="https://elsewhere.example", credential="x")
        environ.setenv("ANTHROPIC_API_KEY", "sk-new")
        register_environment_providers()
        assert Provider.objects.get(name="Anthropic").credential == "x"

    def test_a_key_that_a_person_entered_stays(self, environ: pytest.MonkeyPatch) -> None:
        environ.setenv("ANTHROPIC_API_KEY", "sk-environment")
        register_environment_providers()
        Provider.objects.filter(name="Anthropic").update(
            credential="sk-person", options={"vendor": "anthropic"}
        )
        register_environment_providers()
        assert Provider.objects.get(name="Anthropic").credential == "sk-person"

    def test_a_key_that_cannot_be_decrypted_any_more_is_taken_anew(
        self, environ: pytest.MonkeyPatch, settings: Settings
    ) -> None:
        environ.setenv("ANTHROPIC_API_KEY", "sk-ant")
        register_environment_providers()
        settings.CREDENTIAL_KEYS = {1: "44" * 32}
        register_environment_providers()
        assert Provider.objects.get(name="Anthropic").credential == "sk-ant"

    def test_a_local_server_brings_all_its_models_but_the_embeddings(
        self, environ: pytest.MonkeyPatch, upstream: Upstream
    ) -> None:
        upstream.plan("/v1/models", pieces=("qwen3:8b", "nomic-embed-text", "llama3.3"))
        environ.setenv("OPENAI_BASE_URL", f"{upstream.url}/v1")
        assert len(register_environment_providers()) == 1
        assert names() == {"demo", "qwen3:8b", "llama3.3"}
        assert default() == "qwen3:8b"

    def test_an_ollama_that_answers_is_found(self, environ: pytest.MonkeyPatch, upstream: Upstream) -> None:
        upstream.plan("/v1/models", pieces=("qwen3:8b",))
        environ.setattr(first_run, "OLLAMA", upstream.url)
        assert register_environment_providers() == ["Ollama"]
        assert default() == "qwen3:8b"
        assert Provider.objects.get(name="Ollama").base_url == f"{upstream.url}/v1"

    @pytest.mark.parametrize("plan", [refusal(401), Plan(raw=b"<html>"), Plan(raw=b"[]")])
    def test_a_server_without_a_list_stops_nothing_and_is_asked_again_next_time(
        self, environ: pytest.MonkeyPatch, upstream: Upstream, plan: Plan
    ) -> None:
        upstream.plan("/v1/models", plan)
        environ.setenv("OPENAI_BASE_URL", f"{upstream.url}/v1")
        assert len(register_environment_providers()) == 1
        assert default() == "demo"
        upstream.plan("/v1/models", pieces=("late",))
        register_environment_providers()
        assert (names(), default()) == ({"demo", "late"}, "late")
        assert Provider.objects.count() == 2

    def test_names_that_no_row_can_hold_are_left_out(
        self, environ: pytest.MonkeyPatch, upstream: Upstream
    ) -> None:
        upstream.plan("/v1/models", pieces=("good", "x" * 500, "bad\x00name", "", "good"))
        environ.setenv("OPENAI_BASE_URL", f"{upstream.url}/v1")
        register_environment_providers()
        assert names() == {"demo", "good"}

    def test_a_default_that_somebody_chose_stays(self, environ: pytest.MonkeyPatch) -> None:
        make_model("chosen", is_default=True)
        environ.setenv("ANTHROPIC_API_KEY", "sk-ant")
        register_environment_providers()
        assert default() == "chosen"

    def test_the_demo_makes_room_for_a_real_model_that_comes_later(self, environ: pytest.MonkeyPatch) -> None:
        register_environment_providers()
        environ.setenv("GEMINI_API_KEY", "key")
        register_environment_providers()
        assert default().startswith("gemini-")

    def test_two_accounts_with_the_same_model_stand_in_for_each_other(
        self, environ: pytest.MonkeyPatch
    ) -> None:
        environ.setenv("GEMINI_API_KEY", "key")
        environ.setenv("VERTEXAI_PROJECT", "project")
        environ.setenv("GOOGLE_APPLICATION_CREDENTIALS", "/key.json")
        register_environment_providers()
        deployments = Model.objects.get(name="gemini-2.5-pro").deployments
        assert set(deployments.values_list("provider__name", flat=True)) == {
            "Google Gemini",
            "Google Vertex AI",
        }

    def test_detection_can_be_switched_off(self, environ: pytest.MonkeyPatch) -> None:
        environ.setenv("ANTHROPIC_API_KEY", "sk-ant")
        environ.setenv("CHATCORE_NO_DETECT", "1")
        assert register_environment_providers() == []
        assert names() == {"demo"}


KNOWN = ACCOUNTS[0].models


@pytest.mark.parametrize(
    ("listed", "wanted"),
    [
        (None, [model.name for model in KNOWN]),
        ([KNOWN[1].name, "gpt-unknown"], [KNOWN[1].name]),
        (["gpt-9", "text-embedding-3-large", "whisper-1", "gpt-9-audio"], ["gpt-9"]),
        ([f"gpt-{number}" for number in range(10, 30)], [f"gpt-{number}" for number in range(10, 18)]),
        ([], []),
    ],
)
def test_of_a_large_account_the_known_models_it_lists_are_taken(
    listed: list[str] | None, wanted: list[str]
) -> None:
    (found,) = detect({"OPENAI_API_KEY": "sk-key"})
    assert [model.name for model in first_run._wanted(found, listed)] == wanted
