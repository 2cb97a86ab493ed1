"""Providers that people of a workspace enter: nothing of this server's opens them, and they lead to nothing inside."""

import json
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from django.test import override_settings
from pytest_django import Settings

from chatcore.llm import litellm_process
from chatcore.llm.errors import ProviderError
from chatcore.llm.kinds import build
from chatcore.llm.providers import Provider, ProviderSettings
from tests.llm.asking import events_of, request, text_of
from tests.llm.test_services import service_account
from tests.upstreams.plans import Plan
from tests.upstreams.server import ACCESS_TOKEN, Upstream

GOOD = "Hello from the upstream"
MARK = "of-this-server"
KEYS = (
    "ANTHROPIC_API_KEY",
    "AWS_BEARER_TOKEN_BEDROCK",
    "AZURE_API_KEY",
    "AZURE_OPENAI_API_KEY",
    "COHERE_API_KEY",
    "GEMINI_API_KEY",
    "GOOGLE_API_KEY",
    "HUGGINGFACE_API_KEY",
    "MISTRAL_API_KEY",
    "OPENAI_API_KEY",
)
BEDROCK = {"aws_bedrock_runtime_endpoint": "{url}", "aws_region_name": "eu-central-1"}
VERTEX = {"vertex_project": "p", "vertex_location": "global"}


def own(base_url: str, credential: str = "", kind: str = "litellm", **options: Any) -> Provider:
    return build(ProviderSettings(kind, base_url, credential, options, guarded=True))


def shared(base_url: str, **options: Any) -> Provider:
    return build(ProviderSettings("litellm", base_url, "", options))


async def answer_of(provider: Provider, model: str = "any") -> str:
    return text_of(await events_of(provider.stream(request(model))))


async def refused(provider: Provider, model: str = "any") -> ProviderError:
    with pytest.raises(ProviderError) as caught:
        await answer_of(provider, model)
    return caught.value


@contextmanager
def inside() -> Iterator[socket.socket]:
    """A server of this machine's that nobody let through; it accepts nobody, unless asked to."""
    with socket.create_server(("127.0.0.2", 0)) as server:
        server.setblocking(False)
        yield server
        with pytest.raises(BlockingIOError):  # nobody has knocked
            server.accept()


def address_of(server: socket.socket) -> str:
    return f"http://127.0.0.2:{server.getsockname()[1]}"


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def accounts(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Path]:
    """This server has accounts in its environment and in files; fake upstreams may be called."""
    home = tmp_path_factory.mktemp("home")
    (home / ".aws").mkdir()
    profile = "[default]\naws_access_key_id = AKIDOFTHISSERVER\naws_secret_access_key = x-{0}\n"
    (home / ".aws" / "credentials").write_text(profile.format(MARK))
    with pytest.MonkeyPatch.context() as patch, override_settings(OUTBOUND_ALLOW=["127.0.0.1:*"]):
        for name in KEYS:
            patch.setenv(name, f"{name}-{MARK}")
        patch.setenv("HOME", str(home))
        patch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(home / "google.json"))
        await litellm_process.shut_down()
        yield home
        await litellm_process.shut_down()


@pytest.mark.asyncio(loop_scope="session")
@pytest.mark.xdist_group("litellm")
class TestThroughLitellm:
    @pytest.fixture(autouse=True)
    def _accounts(self, accounts: Path, upstream: Upstream) -> None:
        self.google = accounts / "google.json"
        self.google.write_text(service_account(f"{upstream.url}/token"))

    @pytest.mark.parametrize(
        ("vendor", "at"),
        [
            ("anthropic", ""),
            ("gemini", "/v1beta"),
            ("cohere_chat", ""),
            ("openai", "/v1"),
            ("azure", ""),
            ("huggingface", "/v1/chat/completions"),
            ("mistral", "/v1"),
        ],
    )
    async def test_no_key_of_the_environment_is_sent(self, upstream: Upstream, vendor: str, at: str) -> None:
        options = {"vendor": vendor, "access": {"api_version": "1"} if vendor == "azure" else {}}
        for provider in (own(upstream.url + at, **options), shared(upstream.url + at, **options)):
            with suppress(ProviderError):  # some ask for a key before they ask the vendor
                await answer_of(provider)
            with suppress(ProviderError):
                await provider.models()
        assert vendor == "azure" or {heard.method for heard in upstream.requests} >= {"POST"}
        assert MARK not in repr(upstream.requests)

    async def test_accounts_of_the_machine_open_bedrock_to_all_workspaces_and_to_none_of_them(
        self, upstream: Upstream
    ) -> None:
        access = {name: value.format(url=upstream.url) for name, value in BEDROCK.items()}
        assert (await refused(own("", vendor="bedrock", access=access))).code in {"auth", "unavailable"}
        assert upstream.requests == []
        assert await answer_of(shared("", vendor="bedrock", access=access)) == GOOD
        assert "Bearer AWS_BEARER_TOKEN_BEDROCK" in repr(upstream.requests)

    async def test_accounts_of_the_machine_open_vertex_to_all_workspaces_and_to_none_of_them(
        self, upstream: Upstream
    ) -> None:
        options = {"vendor": "vertex_ai", "access": VERTEX}
        await refused(own(upstream.url, **options), "gemini-2.5-pro")
        assert upstream.requests == []
        assert await answer_of(shared(upstream.url, **options), "gemini-2.5-pro") == GOOD
        assert ACCESS_TOKEN in repr(upstream.requests)

    async def test_a_workspaces_own_account_opens_it(self, upstream: Upstream) -> None:
        account = json.dumps({"vertex_credentials": self.google.read_text(), **VERTEX})
        provider = own(upstream.url, account, vendor="vertex_ai")
        assert await answer_of(provider, "gemini-2.5-pro") == GOOD
        assert await answer_of(own(upstream.url, "sk-own", vendor="anthropic")) == GOOD
        assert upstream.requests[-1].headers["x-api-key"] == "sk-own"

    async def test_a_redirect_leads_to_nothing_inside(self, upstream: Upstream) -> None:
        with inside() as server:
            upstream.plan("moved", Plan(status=307, raw=b"", headers={"Location": address_of(server)}))
            error = await refused(own(upstream.url, "sk-own", vendor="anthropic"), "moved")
        assert (error.code, error.retryable) == ("address_refused", False)
        assert "OUTBOUND_ALLOW" in error.detail

    async def test_what_a_key_names_leads_to_nothing_inside(self, upstream: Upstream) -> None:
        with inside() as server:
            account = json.dumps({"vertex_credentials": service_account(address_of(server)), **VERTEX})
            await refused(own(upstream.url, account, vendor="vertex_ai"), "gemini-2.5-pro")
        assert upstream.requests == []

    async def test_a_name_leads_to_nothing_inside(self, upstream: Upstream, settings: Settings) -> None:
        settings.OUTBOUND_ALLOW = ["192.0.2.0/24:*"]
        process = litellm_process.LitellmProcess(guarded=True)
        address = upstream.url.replace("127.0.0.1", "localhost")
        question = {"model": "anthropic/any", "messages": [{"role": "user", "content": "?"}], "params": {}}
        access = {"api_base": address, "api_key": "sk-own"}
        async with process.asked(do="stream", **question, access=access, connect_seconds=5) as answers:
            kind, value = await answers.get()
        await process.stop()
        assert (kind, value["code"]) == ("error", "address_refused")
        assert upstream.requests == []

    async def test_a_models_name_is_no_address(self, upstream: Upstream) -> None:
        """Of some vendors LiteLLM would take it for one, and send the key of a provider of all there."""
        settings = ProviderSettings("litellm", "", "sk-ours", {"vendor": "huggingface"})
        error = await refused(build(settings), f"{upstream.url}/v1/chat/completions")
        assert error.code == "not_found"
        assert upstream.requests == []


@pytest.mark.parametrize(
    "access",
    [
        {"api_base": "https://llm.example"},
        {"aws_profile_name": "default"},
        {"aws_web_identity_token": "oidc/file//etc/passwd", "aws_role_name": "x"},
        {"aws_bedrock_runtime_endpoint": "http://10.0.0.1"},
        {"api_key": "os.environ/OPENAI_API_KEY"},
        {"vertex_credentials": "/etc/google.json"},
        {"vertex_credentials": {"type": "external_account", "credential_source": {"file": "/etc/passwd"}}},
        {"azure_ad_token": "oidc/file//etc/passwd"},
        {"extra_headers": {"x": 1}},
        {"callbacks": ["x"]},
    ],
    ids=lambda access: next(iter(access)),
)
def test_only_what_a_workspace_can_have_of_its_own_gives_access(access: dict[str, Any]) -> None:
    for credential, options in (("", {"access": access}), (json.dumps(access), {})):
        with pytest.raises(ProviderError) as caught:
            own("", credential, vendor="bedrock", **options)
        assert caught.value.code == "bad_request"
        settings = ProviderSettings("litellm", "", credential, {"vendor": "bedrock"} | options)
        build(settings)  # staff may


class TestNative:
    async def test_it_answers_where_it_may_be(self, upstream: Upstream, settings: Settings) -> None:
        settings.OUTBOUND_ALLOW = ["127.0.0.1:*"]
        provider = own(f"{upstream.url}/v1", "sk-own", "openai")
        assert await answer_of(provider) == GOOD
        await provider.close()

    async def test_an_address_inside_is_refused_before_anything_is_sent(self) -> None:
        with inside() as server, pytest.raises(ProviderError) as caught:
            own(address_of(server), "sk-own", "openai")
        assert caught.value.code == "address_refused"
        assert "OUTBOUND_ALLOW" in caught.value.detail

    async def test_a_name_leads_to_nothing_inside(self, upstream: Upstream, settings: Settings) -> None:
        settings.OUTBOUND_ALLOW = ["192.0.2.0/24:*"]
        provider = own(upstream.url.replace("127.0.0.1", "localhost"), "sk-own", "openai")
        for asked in (answer_of(provider), provider.models()):
            with pytest.raises(ProviderError) as caught:
                await asked
            assert (caught.value.code, caught.value.retryable) == ("address_refused", False)
        await provider.close()
        assert upstream.requests == []

    async def test_a_name_that_may_be_called_is_called(self, upstream: Upstream, settings: Settings) -> None:
        settings.OUTBOUND_ALLOW = ["localhost:*"]
        provider = own(upstream.url.replace("127.0.0.1", "localhost") + "/v1", "sk-own", "openai")
        assert await answer_of(provider) == GOOD
        assert len(await provider.models()) == 3
        await provider.close()

    async def test_one_of_all_workspaces_may_be_anywhere(self, upstream: Upstream) -> None:
        provider = build(ProviderSettings("openai", upstream.url.replace("127.0.0.1", "localhost") + "/v1"))
        assert await answer_of(provider) == GOOD
        await provider.close()
