"""What of our environment LiteLLM's processes get to see.

LiteLLM takes a vendor's key from the environment where it is given none, and sends it to whatever address it is
given: no such key is there. Accounts of clouds that a machine opens, and not a key, are there for providers of all
workspaces only, which staff make.
"""

from collections.abc import Mapping

# LiteLLM's own switches.
ADDED = {
    "LITELLM_LOCAL_MODEL_COST_MAP": "True",
    "LITELLM_LOCAL_ANTHROPIC_BETA_HEADERS": "True",
    "LITELLM_MODE": "PRODUCTION",
    "LITELLM_TELEMETRY": "False",
    "LITELLM_LOG": "CRITICAL",
    # LiteLLM ends an answer that says the same thing a hundred times; a long row of dashes does that.
    "REPEATED_STREAMING_CHUNK_LIMIT": "1000000000",
}
# What Python needs to run, and to check certificates.
NEEDED = frozenset(
    {
        "CURL_CA_BUNDLE",
        "LANG",
        "LANGUAGE",
        "LD_LIBRARY_PATH",
        "PATH",
        "REQUESTS_CA_BUNDLE",
        "SSL_CERT_DIR",
        "SSL_CERT_FILE",
        "TMPDIR",
        "TZ",
        "VIRTUAL_ENV",
    }
)
NEEDED_BEGINNINGS = ("LC_", "PYTHON")
# Of the machine's own: where files with accounts are, and the way out of its network.
OURS = frozenset(
    {
        "AIOHTTP_TRUST_ENV",
        "ALL_PROXY",
        "HOME",
        "HTTPS_PROXY",
        "HTTP_PROXY",
        "NO_PROXY",
        "SSL_CERTIFICATE",
        "SSL_VERIFY",
        "XDG_CONFIG_HOME",
    }
)
ACCOUNTS = ("AWS_", "AZURE_", "CLOUDSDK_", "GCE_", "GCLOUD_", "GOOGLE_", "VERTEX")
KEY = "API_KEY"
# Instead of them: nothing is found where accounts may be kept.
NOTHING = {
    "AWS_CONFIG_FILE": "/dev/null",
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
    "CLOUDSDK_CONFIG": "/nonexistent",
    "HOME": "/nonexistent",
    "NO_GCE_CHECK": "true",
}


def of_all(environ: Mapping[str, str]) -> dict[str, str]:
    """For providers of all workspaces: with the accounts of this machine, without keys."""
    seen = {
        name: value
        for name, value in environ.items()
        if name.upper() in OURS or (name.startswith(ACCOUNTS) and not name.endswith(KEY))
    }
    return _needed(environ) | seen | ADDED


def of_workspaces(environ: Mapping[str, str]) -> dict[str, str]:
    """For providers of workspaces: nothing that opens an account."""
    return _needed(environ) | NOTHING | ADDED


def _needed(environ: Mapping[str, str]) -> dict[str, str]:
    return {
        name: value for name, value in environ.items() if name in NEEDED or name.startswith(NEEDED_BEGINNINGS)
    }
