import pytest

from chatcore.llm import model_facts
from chatcore.llm.catalogue import KnownModel
from chatcore.llm.errors import ProviderError
from chatcore.llm.models import Deployment, Model, Provider
from chatcore.llm.providers import ProviderSettings
from chatcore.llm.refresh import MOST_ADDED, Refreshed, follow_list, refresh
from tests.llm.factories import make_deployment, make_model, make_provider
from tests.upstreams.plans import refusal
from tests.upstreams.server import Upstream

OPENAI = "https://api.openai.com/v1"


def at(provider: Provider) -> set[str]:
    return set(provider.deployments.values_list("upstream_name", flat=True))


@pytest.mark.django_db
class TestRefresh:
    def test_new_models_are_added_and_vanished_ones_marked(self, upstream: Upstream) -> None:
        upstream.plan("/v1/models", pieces=("kept", "new", "text-embedding-9"))
        provider = make_provider("openai", base_url=f"{upstream.url}/v1")
        for name in ("kept", "gone"):
            make_deployment(make_model(name), provider)
        assert refresh(provider) == Refreshed(added=["new"], vanished=["gone"], offered=[], returned=[])
        assert at(provider) == {"kept", "gone", "new"}
        gone = Deployment.objects.get(upstream_name="gone")
        assert gone.vanished_at
        # A list may lack an alias that answers: it is still asked.
        assert gone.enabled
        assert Model.objects.reachable().filter(name="new").exists()

    def test_again_changes_nothing_and_what_is_back_is_unmarked(self) -> None:
        provider = make_provider("openai", base_url="http://127.0.0.1:9/v1")
        follow_list(provider, ["a", "b"])
        follow_list(provider, ["a"])
        marked = Deployment.objects.get(upstream_name="b").vanished_at
        assert follow_list(provider, ["a"]) == Refreshed([], [], [], [])
        assert Deployment.objects.get(upstream_name="b").vanished_at == marked
        assert follow_list(provider, ["a", "b"]).returned == ["b"]
        assert Deployment.objects.get(upstream_name="b").vanished_at is None

    def test_an_empty_list_says_nothing(self) -> None:
        provider = make_provider("openai")
        make_deployment(make_model("there"), provider)
        assert follow_list(provider, []) == Refreshed()
        assert Deployment.objects.get().vanished_at is None

    def test_hundreds_of_new_models_are_offered_rather_than_added(self) -> None:
        provider = make_provider("openai", base_url="http://127.0.0.1:9/v1")
        names = [f"m-{number}" for number in range(MOST_ADDED + 1)]
        assert follow_list(provider, names).offered == names
        assert not at(provider)

    def test_what_is_known_fills_what_was_unknown_and_nothing_else(self) -> None:
        provider = make_provider("openai", base_url=OPENAI)
        mine = make_model("gpt-4.1", context_window=5, supports_tools=False)
        make_deployment(mine, provider)
        make_deployment(make_model("my-finetune"), provider)
        follow_list(provider, ["gpt-4.1", "my-finetune", "gpt-4o"])
        mine.refresh_from_db()
        assert (mine.context_window, mine.max_output, mine.supports_tools) == (5, 32768, False)
        assert mine.prices is not None
        assert mine.prices["currency"] == "USD"
        assert (mine.prices["input"], mine.prices["output"], mine.prices["cached"]) == (2.0, 8.0, 0.5)
        unknown = Model.objects.get(name="my-finetune")
        assert (unknown.context_window, unknown.max_output, unknown.prices) == (None, None, None)
        new = Model.objects.get(name="gpt-4o")
        assert (new.context_window, new.supports_vision, new.supports_tools) == (128_000, True, True)

    def test_prices_of_the_list_get_what_it_says_of_long_prompts(self) -> None:
        provider = make_provider("litellm", options={"vendor": "gemini"})
        flat = {"currency": "USD", "input": 1.25, "output": 10.0, "cached": 0.125}
        listed, entered = (
            make_model(name, prices=prices) for name, prices in (("l", flat), ("e", {**flat, "output": 9}))
        )
        make_deployment(listed, provider, upstream_name="gemini-2.5-pro")
        follow_list(provider, ["gemini-2.5-pro"])
        listed.refresh_from_db()
        assert listed.prices == flat | {
            "above": [{"tokens": 200_000, "input": 2.5, "output": 15.0, "cached": 0.25}]
        }
        provider.deployments.update(model=entered)
        follow_list(provider, ["gemini-2.5-pro"])
        entered.refresh_from_db()
        assert entered.prices == {**flat, "output": 9}

    def test_a_provider_that_does_not_answer_changes_nothing(self, upstream: Upstream) -> None:
        upstream.plan("/v1/models", refusal(500))
        provider = make_provider("openai", base_url=f"{upstream.url}/v1")
        make_deployment(make_model("there"), provider)
        with pytest.raises(ProviderError):
            refresh(provider)
        assert Deployment.objects.get().vanished_at is None


def facts(name: str, base_url: str = OPENAI, kind: str = "openai", **options: object) -> KnownModel | None:
    settings = ProviderSettings(kind, base_url, options=options)
    return next(iter(model_facts.described(settings, [KnownModel(name, name)])), None)


@pytest.mark.parametrize(
    ("name", "base_url", "options"),
    [
        ("claude-sonnet-4-5", "", {"vendor": "anthropic"}),
        ("gemini-2.5-pro", "", {"vendor": "gemini"}),
        ("gemini-2.5-pro", "", {"vendor": "vertex_ai"}),
        ("command-a-03-2025", "", {"vendor": "cohere_chat"}),
        ("mistral-large-latest", "https://api.mistral.ai/v1", {}),
        ("deepseek-chat", "https://api.deepseek.com/v1", {}),
        ("gpt-4.1", "https://mine.openai.azure.com", {"api_version": "2024-10-21"}),
    ],
)
def test_models_are_found_under_the_names_their_services_use(
    name: str, base_url: str, options: dict[str, object]
) -> None:
    found = facts(name, base_url, "litellm" if "vendor" in options else "openai", **options)
    assert found is not None
    assert found.context_window
    assert found.prices
    assert "tools" in found.supports


def test_a_name_means_nothing_at_a_server_of_ones_own() -> None:
    assert facts("gpt-4.1", "http://127.0.0.1:8000/v1") == KnownModel("gpt-4.1", "gpt-4.1")


def test_a_name_of_another_vendor_means_nothing() -> None:
    assert facts("claude-sonnet-4-5") == KnownModel("claude-sonnet-4-5", "claude-sonnet-4-5")


def test_what_does_not_converse_is_left_out() -> None:
    assert facts("text-embedding-3-small") is None


def test_two_prices_of_zero_are_unknown() -> None:
    assert model_facts._prices({"input_cost_per_token": 0.0, "output_cost_per_token": 0.0}) is None
    assert model_facts._prices({"input_cost_per_token": 1e-6}) is None
