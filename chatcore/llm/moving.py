"""A stored key belongs to the account it was entered for: what changes who receives it needs it again."""

from collections.abc import Mapping
from typing import Any

from chatcore.llm.models import FROM_ENVIRONMENT, Provider

# They change what the same server is asked, and not who is asked, nor in whose name.
HARMLESS = frozenset(
    {
        FROM_ENVIRONMENT,
        "api_version",
        "cache_prompts",
        "include_usage",
        "max_tokens_field",
        "models",
        "send_user",
        "system_role",
    }
)
KEY_AGAIN = (
    "must be given again: the stored one belongs to the old address and options, and is sent to no others"
)


def leaves_its_key(provider: Provider, *, kind: str, base_url: str, options: Any) -> bool:
    """Whether the provider, as it is stored, has a key that is not meant for what it is to become.

    An option that this does not know counts as one that changes who receives the key.
    """
    row = Provider.objects.with_credential_mark().filter(pk=provider.pk).first()
    if row is None or not row.has_credential:
        return False
    before = (row.kind, row.base_url.rstrip("/"), _deciding(row.options))
    return before != (kind, base_url.rstrip("/"), _deciding(options))


def _deciding(options: Any) -> dict[str, Any]:
    if not isinstance(options, Mapping):
        return {}
    return {name: value for name, value in options.items() if name not in HARMLESS}
