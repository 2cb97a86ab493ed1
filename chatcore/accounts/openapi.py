"""How the API's document names the ways to identify oneself: any one of them is enough."""

from typing import Any

from django.conf import settings
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.openapi import AutoSchema

SECURITY_SCHEMES: dict[str, dict[str, str]] = {
    "bearer": {
        "type": "http",
        "scheme": "bearer",
        "description": "A key of an integration (cc_live_…) or a user's access token (JWT).",
    },
    "apiKey": {
        "type": "apiKey",
        "in": "header",
        "name": "X-API-Key",
        "description": "A key (cc_live_…).",
    },
    "authenticator": {
        "type": "apiKey",
        "in": "header",
        "name": "X-Authenticator",
        "description": "An integration's authenticator, beside the proof that it asks for.",
    },
    "session": {
        "type": "apiKey",
        "in": "cookie",
        "name": settings.SESSION_COOKIE_NAME,
        "description": "A signed-in browser; writing also needs the X-CSRFToken header.",
    },
}
SECURITY: list[dict[str, list[str]]] = [{name: []} for name in SECURITY_SCHEMES]


class PrincipalScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """Several names in one extension would read as "all of them": a list of one-key objects is "any"."""

    target_class = "chatcore.accounts.drf.PrincipalAuthentication"
    name = list(SECURITY_SCHEMES)

    def get_security_definition(self, auto_schema: AutoSchema) -> Any:  # noqa: ARG002
        return list(SECURITY_SCHEMES.values())

    def get_security_requirement(self, auto_schema: AutoSchema) -> Any:  # noqa: ARG002
        return SECURITY
