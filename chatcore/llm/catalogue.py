"""Accounts that environment variables open, and a few models of each, for the moment before their API was asked.

The names age. That does no harm: where an account lists its models, only those it lists are taken.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from chatcore.llm.services import SERVICES, Service


@dataclass(frozen=True, slots=True)
class KnownModel:
    """`name` is what people choose, `upstream` what the provider calls it ("": the same). Sizes in tokens.

    `prices` are as the table Model has them; None is unknown.
    """

    name: str
    label: str
    context_window: int | None = None
    max_output: int | None = None
    supports: str = ""
    upstream: str = ""
    prices: Mapping[str, Any] | None = None

    @property
    def upstream_name(self) -> str:
        return self.upstream or self.name


@dataclass(frozen=True, slots=True)
class Account:
    """A provider that one variable, holding its key, opens."""

    variable: str
    service: Service
    models: tuple[KnownModel, ...]

    @property
    def name(self) -> str:
        return self.service.label

    @property
    def lists(self) -> bool:
        """Its API says in no time what it has. Of the others LiteLLM would have to be started."""
        return self.service.kind == "openai" and "models" not in self.service.options


# Names of models that do not hold conversations.
OTHER_USES = re.compile(
    r"embed|whisper|tts|audio|speech|voice|realtime|transcri|image|dall-e|sora|video|moderation|rerank|guard"
    r"|ocr|babbage|davinci|instruct-0914|search-api|deep-research|clip",
    re.IGNORECASE,
)

K, M = 1024, 1_000_000
ALL = "vision tools reasoning json"
THINKS = "tools reasoning json"

_GPT_OSS = KnownModel("openai/gpt-oss-120b", "GPT-OSS 120B", 128 * K, 64 * K, THINKS)
_GEMINI = (
    KnownModel("gemini-3.8-flash", "Gemini 3.8 Flash", 1024 * K, 64 * K, ALL),
    KnownModel("gemini-2.5-pro", "Gemini 2.5 Pro", 1024 * K, 64 * K, ALL),
    KnownModel("gemini-3.5-flash-lite", "Gemini 3.5 Flash Lite", 1024 * K, 64 * K, ALL),
)
_CLAUDE = (
    KnownModel("claude-sonnet-5-5", "Claude Sonnet 5.5", M, 128_000, ALL),
    KnownModel("claude-opus-5-5", "Claude Opus 5.5", M, 128_000, ALL),
    KnownModel("claude-haiku-5-5", "Claude Haiku 5.5", M, 128_000, ALL),
)
OPENAI_MODELS = (
    KnownModel("gpt-6-sol", "GPT-6 Sol", 922_000, 128_000, ALL),
    KnownModel("gpt-6-luna", "GPT-6 Luna", 922_000, 128_000, ALL),
    KnownModel("gpt-5.4-mini", "GPT-5.4 mini", 272_000, 128_000, ALL),
    KnownModel("gpt-4.1", "GPT-4.1", M, 32 * K, "vision tools json"),
)
BEDROCK_MODELS = (
    *(
        KnownModel(
            each.name,
            each.label,
            each.context_window,
            each.max_output,
            each.supports,
            f"global.anthropic.{each.name}",
        )
        for each in _CLAUDE[:2]
    ),
    KnownModel("amazon-nova-2-lite", "Amazon Nova 2 Lite", M, 64_000, ALL, "global.amazon.nova-2-lite-v1:0"),
)
VERTEX_MODELS = _GEMINI
DEMO_MODEL = KnownModel("demo", "Demo", supports="")

# In the order in which the first model of one of them becomes the default.
ACCOUNTS = (
    Account("OPENAI_API_KEY", SERVICES["openai"], OPENAI_MODELS),
    Account("ANTHROPIC_API_KEY", SERVICES["anthropic"], _CLAUDE),
    Account("GEMINI_API_KEY", SERVICES["gemini"], _GEMINI),
    Account(
        "MISTRAL_API_KEY",
        SERVICES["mistral"],
        (
            KnownModel("mistral-large-latest", "Mistral Large", 256 * K, None, "vision tools json"),
            KnownModel("mistral-medium-latest", "Mistral Medium", 256 * K, None, ALL),
            KnownModel("mistral-small-latest", "Mistral Small", 256 * K, None, ALL),
            KnownModel("codestral-latest", "Codestral", 128_000, None, "tools json"),
        ),
    ),
    Account(
        "GROQ_API_KEY",
        SERVICES["groq"],
        (_GPT_OSS, KnownModel("openai/gpt-oss-20b", "GPT-OSS 20B", 128 * K, 64 * K, THINKS)),
    ),
    Account(
        "OPENROUTER_API_KEY",
        SERVICES["openrouter"],
        (KnownModel("openrouter/auto", "OpenRouter Auto", supports=ALL), _GPT_OSS),
    ),
    Account(
        "DEEPSEEK_API_KEY",
        SERVICES["deepseek"],
        (
            KnownModel("deepseek-chat", "DeepSeek Chat", 128 * K, 8 * K, "tools json"),
            KnownModel("deepseek-reasoner", "DeepSeek Reasoner", 128 * K, 64 * K, THINKS),
            KnownModel("deepseek-v4-pro", "DeepSeek V4 Pro", M, 384 * K, THINKS),
        ),
    ),
    Account(
        "XAI_API_KEY",
        SERVICES["xai"],
        (
            KnownModel("grok-4.7", "Grok 4.7", 500_000, None, ALL),
            KnownModel("grok-code-fast-1", "Grok Code Fast", 256_000, None, ALL),
        ),
    ),
    Account(
        "COHERE_API_KEY",
        SERVICES["cohere"],
        (
            KnownModel("command-a-plus-05-2026", "Command A+", 128_000, 64_000, ALL),
            KnownModel("command-a-03-2025", "Command A", 256_000, 8_000, "tools json"),
        ),
    ),
    Account(
        "TOGETHER_API_KEY",
        SERVICES["together"],
        (_GPT_OSS, KnownModel("zai-org/GLM-5.3", "GLM 5.3", M, 128_000, THINKS)),
    ),
    Account(
        "PERPLEXITY_API_KEY",
        SERVICES["perplexity"],
        (
            KnownModel("sonar-pro", "Sonar Pro", 200_000, 8_000, "json"),
            KnownModel("sonar", "Sonar", 128_000, None, "json"),
        ),
    ),
)
