"""The vendors LiteLLM reaches, each pointed at the fake upstream."""

from dataclasses import dataclass, field
from typing import Any

from chatcore.llm.providers import ProviderSettings
from chatcore.llm.via_litellm import LitellmProvider
from tests.llm.asking import KEY
from tests.upstreams.server import Upstream


@dataclass(frozen=True)
class Vendor:
    """`name` is LiteLLM's. `at` is what the address of the fake upstream ends with; `access` may name it as {url}."""

    name: str
    at: str = ""
    access: dict[str, str] = field(default_factory=dict)
    key: str = KEY

    def provider(self, upstream: Upstream) -> LitellmProvider:
        options: dict[str, Any] = {"vendor": self.name}
        if self.access:
            options["access"] = {name: value.format(url=upstream.url) for name, value in self.access.items()}
        address = "" if self.access else f"{upstream.url}{self.at}"
        return LitellmProvider(ProviderSettings("litellm", address, self.key, options))


ANTHROPIC = Vendor("anthropic")
GEMINI = Vendor("gemini", "/v1beta")
COHERE = Vendor("cohere_chat")
BEDROCK = Vendor(
    "bedrock",
    access={
        "aws_bedrock_runtime_endpoint": "{url}",
        "aws_region_name": "eu-central-1",
        "aws_access_key_id": "AKIDEXAMPLE",
        "aws_secret_access_key": KEY,
    },
    key="",
)
VENDORS = (ANTHROPIC, GEMINI, COHERE, BEDROCK)
