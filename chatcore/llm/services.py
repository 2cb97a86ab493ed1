"""The services people have accounts at, and the servers they run: which kind of provider speaks to each, and where."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any
from urllib.parse import urlsplit

from chatcore.llm.providers import ProviderSettings


@dataclass(frozen=True, slots=True)
class Service:
    """`base_url` is empty where LiteLLM knows it, or where it is each customer's own (`own_address`).

    `facts` is what LiteLLM's map of models writes before the names of this service; None: it is not in there.
    `lacks` names the parameters none of its models takes.
    """

    name: str
    label: str
    kind: str
    base_url: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)
    own_address: bool = False
    facts: str | None = None
    lacks: frozenset[str] = frozenset()


_PENALTIES = frozenset({"frequency_penalty", "presence_penalty", "logit_bias"})
LACKS = {
    "anthropic": _PENALTIES | {"seed", "verbosity"},
    "bedrock": _PENALTIES | {"seed", "verbosity"},
    "cohere_chat": frozenset(
        {"logit_bias", "parallel_tool_calls", "reasoning_effort", "response_format", "verbosity"}
    ),
    "gemini": frozenset({"logit_bias", "verbosity"}),
    "vertex_ai": frozenset({"logit_bias", "verbosity"}),
}


def _native(name: str, label: str, base_url: str, facts: str | None = None, **options: Any) -> Service:
    return Service(name, label, "openai", base_url, options, facts=facts)


def _vendor(name: str, label: str, vendor: str, facts: str, **access: str) -> Service:
    options = {"vendor": vendor} | ({"access": access} if access else {})
    return Service(name, label, "litellm", options=options, facts=facts, lacks=LACKS[vendor])


_AZURE = {"api_version": "2024-10-21", "max_tokens_field": "max_completion_tokens"}
_PERPLEXITY_MODELS = ["sonar-pro", "sonar", "sonar-reasoning-pro"]

SERVICES: Mapping[str, Service] = MappingProxyType(
    {
        each.name: each
        for each in (
            _native("openai", "OpenAI", "https://api.openai.com/v1", ""),
            _vendor("anthropic", "Anthropic", "anthropic", ""),
            _vendor("gemini", "Google Gemini", "gemini", "gemini/"),
            # It sends its usage anyway, and refuses fields it does not know.
            _native("mistral", "Mistral", "https://api.mistral.ai/v1", "mistral/", include_usage=False),
            _native("groq", "Groq", "https://api.groq.com/openai/v1", "groq/"),
            _native("openrouter", "OpenRouter", "https://openrouter.ai/api/v1", "openrouter/"),
            _native("deepseek", "DeepSeek", "https://api.deepseek.com/v1", "deepseek/"),
            _native("xai", "xAI", "https://api.x.ai/v1", "xai/"),
            _vendor("cohere", "Cohere", "cohere_chat", ""),
            _native("together", "Together AI", "https://api.together.xyz/v1", "together_ai/"),
            _native(
                "perplexity",
                "Perplexity",
                "https://api.perplexity.ai",
                "perplexity/",
                include_usage=False,
                models=_PERPLEXITY_MODELS,
            ),
            _native("fireworks", "Fireworks AI", "https://api.fireworks.ai/inference/v1", "fireworks_ai/"),
            _native("cerebras", "Cerebras", "https://api.cerebras.ai/v1", "cerebras/"),
            _native("sambanova", "SambaNova", "https://api.sambanova.ai/v1", "sambanova/"),
            _native("moonshot", "Moonshot AI", "https://api.moonshot.ai/v1", "moonshot/"),
            _native("huggingface", "Hugging Face", "https://router.huggingface.co/v1"),
            _native("nvidia", "NVIDIA NIM", "https://integrate.api.nvidia.com/v1"),
            Service("azure", "Azure OpenAI", "openai", options=_AZURE, own_address=True, facts="azure/"),
            _vendor("bedrock", "Amazon Bedrock", "bedrock", "", aws_region_name="us-east-1"),
            _vendor("vertex", "Google Vertex AI", "vertex_ai", "", vertex_location="global"),
            _native("ollama", "Ollama", "http://127.0.0.1:11434/v1"),
            _native("vllm", "vLLM", "http://127.0.0.1:8000/v1"),
            _native("lmstudio", "LM Studio", "http://127.0.0.1:1234/v1"),
            _native("llamacpp", "llama.cpp", "http://127.0.0.1:8080/v1"),
        )
    }
)


def service_of(settings: ProviderSettings) -> Service | None:
    """The service that is meant: by LiteLLM's name of the vendor, or by the host of the address."""
    if vendor := settings.options.get("vendor"):
        return next((each for each in SERVICES.values() if each.options.get("vendor") == vendor), None)
    if settings.options.get("api_version"):
        return SERVICES["azure"]
    host = urlsplit(settings.base_url or SERVICES["openai"].base_url).netloc
    if settings.kind != "openai":
        return None
    return next((each for each in SERVICES.values() if urlsplit(each.base_url).netloc == host), None)
