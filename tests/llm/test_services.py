"""Each service as it is offered to staff, its address moved to the fake upstream: what goes out on the wire."""

import json
from dataclasses import replace
from urllib.parse import urlsplit

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from chatcore.llm.kinds import build, kinds
from chatcore.llm.providers import ProviderSettings
from chatcore.llm.services import SERVICES, Service
from chatcore.llm.types import Finished
from chatcore.llm.via_litellm import LitellmProvider
from tests.llm.asking import KEY, events_of, request, text_of
from tests.llm.vendors import ANTHROPIC, BEDROCK, COHERE, GEMINI, Vendor
from tests.upstreams.server import ACCESS_TOKEN, Request, Upstream

NATIVE = [service for service in SERVICES.values() if service.kind == "openai"]
MODELS = {"openrouter": "meta-llama/llama-4:free", "fireworks": "accounts/fireworks/models/kimi-k3"}
PARAMS = {"temperature": 0.2, "max_tokens": 50}
each_native = pytest.mark.parametrize("service", NATIVE, ids=lambda service: service.name)


def moved(service: Service, upstream: Upstream) -> ProviderSettings:
    """Its settings, reaching the fake upstream under the path of its real address."""
    address = upstream.url + urlsplit(service.base_url).path
    return ProviderSettings(service.kind, address, KEY, service.options)


def test_there_are_more_than_twenty_and_each_can_be_built() -> None:
    assert len(SERVICES) > 20
    for service in SERVICES.values():
        assert service.options.keys() <= kinds()[service.kind].OPTIONS.keys()
        assert bool(service.base_url) == (service.kind == "openai" and not service.own_address)


@each_native
async def test_a_service_that_speaks_openais_protocol_is_asked_in_it(
    upstream: Upstream, service: Service
) -> None:
    model = MODELS.get(service.name, "some-model")
    provider = build(moved(service, upstream))
    events = await events_of(provider.stream(request(model, said="Grüß dich", params=PARAMS)))
    await provider.close()
    assert text_of(events) == "Hello from the upstream"
    assert events[-1] == Finished("stop")
    (heard,) = upstream.requests
    assert heard.method == "POST"
    assert_address(heard, service, model)
    assert heard.body == {
        "model": model,
        "messages": [{"role": "system", "content": "Be kind."}, {"role": "user", "content": "Grüß dich"}],
        "stream": True,
        "temperature": 0.2,
        service.options.get("max_tokens_field", "max_tokens"): 50,
        **({"stream_options": {"include_usage": True}} if service.options.get("include_usage", True) else {}),
    }


def assert_address(heard: Request, service: Service, model: str) -> None:
    if service.name == "azure":
        assert heard.path == f"/openai/deployments/{model}/chat/completions"
        assert heard.query == {"api-version": service.options["api_version"]}
        assert heard.headers["api-key"] == KEY
        assert "Authorization" not in heard.headers
    else:
        assert heard.path == f"{urlsplit(service.base_url).path}/chat/completions"
        assert heard.query == {}
        assert heard.headers["Authorization"] == f"Bearer {KEY}"


@each_native
async def test_its_models_are_listed_where_it_lists_them(upstream: Upstream, service: Service) -> None:
    provider = build(moved(service, upstream))
    names = await provider.models()
    await provider.close()
    if "models" in service.options:
        assert names == service.options["models"]
        return
    assert names == ["Hello", " from", " the upstream"]
    path = "/openai/deployments" if service.name == "azure" else f"{urlsplit(service.base_url).path}/models"
    assert (upstream.requests[0].method, upstream.requests[0].path) == ("GET", path)


def service_account(token_uri: str) -> str:
    """A key file of Google's, with a fresh key."""
    key = rsa.generate_private_key(65537, 2048)
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    account = {"client_email": "robot@my-project.example", "private_key": pem, "token_uri": token_uri}
    return json.dumps({"type": "service_account", "project_id": "my-project", **account})


@pytest.mark.asyncio(loop_scope="session")
@pytest.mark.usefixtures("litellm")
@pytest.mark.xdist_group("litellm")
class TestThroughLitellm:
    async def heard(self, upstream: Upstream, vendor: Vendor, model: str) -> Request:
        asked = request(model, said="Grüß dich", params=PARAMS)
        events = await events_of(vendor.provider(upstream).stream(asked))
        assert text_of(events) == "Hello from the upstream"
        (heard,) = upstream.requests
        assert heard.method == "POST"
        return replace(heard, headers={name.lower(): value for name, value in heard.headers.items()})

    async def test_anthropic(self, upstream: Upstream) -> None:
        heard = await self.heard(upstream, ANTHROPIC, "claude-sonnet-4-5")
        assert (heard.path, heard.headers["x-api-key"]) == ("/v1/messages", KEY)
        assert heard.headers["anthropic-version"]
        body = heard.body
        assert (body["model"], body["max_tokens"], body["temperature"]) == ("claude-sonnet-4-5", 50, 0.2)
        assert body["stream"] is True
        assert body["system"][0]["text"] == "Be kind."
        (turn,) = body["messages"]
        assert (turn["role"], turn["content"][0]["text"]) == ("user", "Grüß dich")

    async def test_gemini(self, upstream: Upstream) -> None:
        heard = await self.heard(upstream, GEMINI, "gemini-2.5-pro")
        assert heard.path == "/v1beta/models/gemini-2.5-pro:streamGenerateContent"
        assert heard.query == {"alt": "sse"}
        assert heard.headers["x-goog-api-key"] == KEY
        assert heard.body["system_instruction"]["parts"] == [{"text": "Be kind."}]
        assert heard.body["contents"] == [{"role": "user", "parts": [{"text": "Grüß dich"}]}]
        assert heard.body["generationConfig"] == {"temperature": 0.2, "max_output_tokens": 50}

    async def test_cohere(self, upstream: Upstream) -> None:
        heard = await self.heard(upstream, COHERE, "command-a-03-2025")
        assert (heard.path, heard.headers["authorization"]) == ("/v2/chat", f"Bearer {KEY}")
        body = heard.body
        assert (body["model"], body["max_tokens"], body["temperature"]) == ("command-a-03-2025", 50, 0.2)
        assert body["stream"] is True
        assert [turn["role"] for turn in body["messages"]] == ["system", "user"]

    async def test_bedrock(self, upstream: Upstream) -> None:
        heard = await self.heard(upstream, BEDROCK, "amazon.nova-lite-v1:0")
        assert heard.path == "/model/amazon.nova-lite-v1:0/converse-stream"
        signature = heard.headers["authorization"]
        assert signature.startswith("AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/")
        assert "/eu-central-1/bedrock/aws4_request" in signature
        assert KEY not in signature
        assert heard.body["system"] == [{"text": "Be kind."}]
        assert heard.body["messages"] == [{"role": "user", "content": [{"text": "Grüß dich"}]}]
        assert heard.body["inferenceConfig"] == {"temperature": 0.2, "maxTokens": 50}

    async def test_vertex(self, upstream: Upstream) -> None:
        access = {"vertex_project": "my-project", "vertex_location": "europe-west4"}
        credential = json.dumps({"vertex_credentials": service_account(f"{upstream.url}/token")})
        options = {"vendor": "vertex_ai", "access": access}
        provider = LitellmProvider(ProviderSettings("litellm", upstream.url, credential, options))
        events = await events_of(provider.stream(request("gemini-2.5-pro", said="Grüß dich")))
        assert text_of(events) == "Hello from the upstream"
        (heard,) = upstream.requests
        place = "/v1/projects/my-project/locations/europe-west4/publishers/google/models"
        assert heard.path == f"{place}/gemini-2.5-pro:streamGenerateContent"
        assert heard.headers["Authorization"] == f"Bearer {ACCESS_TOKEN}"
        assert heard.body["contents"] == [{"role": "user", "parts": [{"text": "Grüß dich"}]}]

    @pytest.mark.parametrize(
        ("vendor", "service", "model"),
        [
            (ANTHROPIC, "anthropic", "claude-sonnet-4-5"),
            (GEMINI, "gemini", "gemini-2.5-pro"),
            (COHERE, "cohere", "command-a-03-2025"),
            (BEDROCK, "bedrock", "anthropic.claude-sonnet-4-5-20250929-v1:0"),
        ],
    )
    async def test_what_a_vendor_does_not_know_is_left_out_and_said(
        self, upstream: Upstream, vendor: Vendor, service: str, model: str
    ) -> None:
        params = {
            "seed": 7,
            "frequency_penalty": 0.5,
            "presence_penalty": 0.5,
            "logit_bias": {"5": 1},
            "verbosity": "low",
            "top_p": 0.5,
        }
        events = await events_of(vendor.provider(upstream).stream(request(model, params=params)))
        finished = events[-1]
        assert isinstance(finished, Finished)
        assert set(finished.dropped) == SERVICES[service].lacks & params.keys()
        assert "logit_bias" not in str(upstream.requests[-1].body)
