"""Which providers the environment names. Reads variables only: no database, no network."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from chatcore.llm import catalogue
from chatcore.llm.catalogue import KnownModel
from chatcore.llm.native import OPENAI
from chatcore.llm.providers import ProviderSettings, address_problem
from chatcore.llm.services import Service

logger = logging.getLogger(__name__)
OLLAMA = "http://127.0.0.1:11434"
AZURE_VERSION = "2024-10-21"


@dataclass(frozen=True, slots=True)
class Found:
    """A provider to register. `variable` holds its key; `lists`: its API says at once what models it has.

    `is_local`: a server of somebody's own, all of whose models are wanted.
    """

    name: str
    settings: ProviderSettings
    models: tuple[KnownModel, ...] = field(default=())
    variable: str = ""
    lists: bool = False
    is_local: bool = False


def detect(environ: Mapping[str, str]) -> list[Found]:
    """The providers that `environ` opens, in the order in which their models are preferred as the default."""
    values = {name: value.strip() for name, value in environ.items() if value.strip()}
    found = [
        Found(
            account.name,
            _settings(account.service, values[account.variable]),
            account.models,
            account.variable,
            account.lists,
        )
        for account in catalogue.ACCOUNTS
        if account.variable in values and not (account.name == "OpenAI" and "OPENAI_BASE_URL" in values)
    ]
    return [*found, *_azure(values), *_bedrock(values), *_vertex(values), *_compatible(values)]


def _settings(service: Service, key: str) -> ProviderSettings:
    return ProviderSettings(service.kind, service.base_url, key, service.options)


def ollama(address: str) -> Found:
    """The Ollama that may answer on this machine; whether it does is for the caller to see."""
    settings = ProviderSettings("openai", f"{address}/v1", "")
    return Found("Ollama", settings, lists=True, is_local=True)


def _compatible(values: Mapping[str, str]) -> list[Found]:
    """OPENAI_BASE_URL: another server that speaks OpenAI's protocol, with or without a key."""
    base_url = values.get("OPENAI_BASE_URL", "").rstrip("/")
    if not _usable("OPENAI_BASE_URL", base_url):
        return []
    official = base_url == OPENAI
    settings = ProviderSettings("openai", base_url, values.get("OPENAI_API_KEY", ""))
    return [
        Found(
            "OpenAI" if official else f"OpenAI-compatible ({urlsplit(base_url).netloc[:75]})",
            settings,
            catalogue.OPENAI_MODELS if official else (),
            "OPENAI_API_KEY" if settings.credential else "",
            lists=True,
            is_local=not official,
        )
    ]


def _azure(values: Mapping[str, str]) -> list[Found]:
    key, base_url = values.get("AZURE_API_KEY"), values.get("AZURE_API_BASE", "").rstrip("/")
    if not key or not _usable("AZURE_API_BASE", base_url):
        return []
    options = {
        "api_version": values.get("AZURE_API_VERSION", AZURE_VERSION),
        "max_tokens_field": "max_completion_tokens",
    }
    settings = ProviderSettings("openai", base_url.removesuffix("/openai"), key, options)
    return [
        Found("Azure OpenAI", settings, catalogue.OPENAI_MODELS, "AZURE_API_KEY", lists=True, is_local=True)
    ]


def _usable(variable: str, address: str) -> bool:
    problem = address_problem(address) if address else ""
    if problem:
        logger.warning("%s is not used. %s", variable, problem)
    return bool(address) and not problem


def _bedrock(values: Mapping[str, str]) -> list[Found]:
    """AWS keys alone may be there for files: a region says that more is meant. The keys stay outside."""
    region = values.get("AWS_REGION_NAME") or values.get("AWS_REGION") or values.get("AWS_DEFAULT_REGION")
    pair = "AWS_ACCESS_KEY_ID" in values and "AWS_SECRET_ACCESS_KEY" in values
    if not region or not (pair or "AWS_BEARER_TOKEN_BEDROCK" in values):
        return []
    options = {"vendor": "bedrock", "access": {"aws_region_name": region}}
    return [Found("Amazon Bedrock", ProviderSettings("litellm", options=options), catalogue.BEDROCK_MODELS)]


def _vertex(values: Mapping[str, str]) -> list[Found]:
    """GOOGLE_APPLICATION_CREDENTIALS names a file, which stays where it is."""
    project = values.get("VERTEXAI_PROJECT") or values.get("GOOGLE_CLOUD_PROJECT")
    if not project or "GOOGLE_APPLICATION_CREDENTIALS" not in values:
        return []
    access = {"vertex_project": project, "vertex_location": values.get("VERTEXAI_LOCATION", "global")}
    options = {"vendor": "vertex_ai", "access": access}
    return [Found("Google Vertex AI", ProviderSettings("litellm", options=options), catalogue.VERTEX_MODELS)]
