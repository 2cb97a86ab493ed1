"""The keywords that give LiteLLM access to an account, and which of them a workspace's own provider may use.

LiteLLM takes some as names of files, of profiles or of variables of the machine it runs on: those are for staff.
"""

import json
from collections.abc import Mapping
from typing import Any

from chatcore.llm.errors import ProviderError
from chatcore.llm.own_addresses import own_address_problem
from chatcore.llm.providers import ProviderSettings

# Sent where there is no key: LiteLLM looks for none elsewhere then, and a server that wants none takes it.
NO_KEY = "no-key-was-given"
# Vendors that something else than a key may open.
KEYLESS = frozenset(
    {
        "azure",
        "azure_ai",
        "bedrock",
        "bedrock_converse",
        "sagemaker",
        "sagemaker_chat",
        "vertex_ai",
        "vertex_ai_beta",
    }
)
OPENS_NOTHING = frozenset({"api_base", "api_version", "extra_headers", "organization"})
OWN_TEXTS = frozenset(
    {
        "api_key",
        "api_version",
        "aws_access_key_id",
        "aws_bedrock_runtime_endpoint",
        "aws_region_name",
        "aws_secret_access_key",
        "aws_session_token",
        "organization",
        "vertex_location",
        "vertex_project",
    }
)
OWN = OWN_TEXTS | {"extra_headers", "vertex_credentials"}
REFERENCES = ("os.environ/", "oidc/")
GOOGLE_TYPES = frozenset({"service_account", "authorized_user"})


def access_of(settings: ProviderSettings) -> dict[str, Any]:
    """A credential of several parts is a JSON object with LiteLLM's names. Raises ProviderError, ValueError."""
    problem = own_access_problem(settings) if settings.guarded else ""
    if problem:
        raise ProviderError("bad_request", problem)
    vendor = str(settings.options.get("vendor", ""))
    access = _access_parts(settings)
    if settings.base_url:
        access["api_base"] = _address(vendor, settings.base_url.rstrip("/"))
    if vendor and vendor not in KEYLESS and access.keys() <= OPENS_NOTHING:
        access["api_key"] = NO_KEY
    return access


def own_access_problem(settings: ProviderSettings) -> str:
    """What a workspace's own provider may not give LiteLLM, in words; empty where there is nothing."""
    try:
        parts = _access_parts(settings)
    except ValueError:
        return "access has to be an object, and a key that begins with { the JSON of one."
    refused = sorted(parts.keys() - OWN)
    if "api_base" in refused or "base_url" in refused:
        return "The address has a field of its own, base_url."
    if refused:
        return f"Only staff may give LiteLLM {', '.join(refused)}. A workspace may give: {', '.join(sorted(OWN))}."
    return next(filter(None, (_problem(name, value) for name, value in parts.items())), "")


def _access_parts(settings: ProviderSettings) -> dict[str, Any]:
    """Without the address."""
    access = settings.options.get("access") or {}
    if not isinstance(access, Mapping):
        raise ValueError("access has to be an object")
    access = dict(access)
    if settings.credential.startswith("{"):
        access.update(json.loads(settings.credential))
    elif settings.credential:
        access["api_key"] = settings.credential
    return access


def _problem(name: str, value: Any) -> str:
    if name == "extra_headers":
        fine = isinstance(value, Mapping) and all(isinstance(each, str) for each in value.values())
        return "" if fine else "extra_headers has to be an object of texts."
    if name == "vertex_credentials":
        return _google_problem(value)
    if not isinstance(value, str) or value.startswith(REFERENCES):
        return f"{name} has to be the value itself, as text."
    return own_address_problem(value) if name == "aws_bedrock_runtime_endpoint" else ""


def _google_problem(value: Any) -> str:
    """A path names a file of this server's; other types than these let Google's library read one."""
    try:
        account = json.loads(value) if isinstance(value, str) else value
    except ValueError:
        account = None
    if isinstance(account, dict) and account.get("type") in GOOGLE_TYPES:
        return ""
    return "vertex_credentials has to be the JSON of a service account's key, not the name of a file."


def _address(vendor: str, base_url: str) -> str:
    """LiteLLM takes the address of Cohere's chat whole, and of all others without its end."""
    if vendor in {"cohere", "cohere_chat"} and not base_url.endswith("/chat"):
        return f"{base_url.removesuffix('/v2')}/v2/chat"
    return base_url
