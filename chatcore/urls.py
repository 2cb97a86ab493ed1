"""Every address of the project."""

from django.contrib import admin
from django.urls import include, path

from chatcore import api, health

urlpatterns = [
    path("api/v1/", api.missing),
    path("api/v1/", api.live.urls),  # first: what comes most often is found soonest
    path("healthz", health.healthz),
    path("readyz", health.readyz),
    path("admin/", admin.site.urls),
    path("accounts/", include("allauth.urls")),
    path("", include("chatcore.accounts.urls")),
    path("", include("chatcore.accounts.integrations.urls")),
    path("", include("chatcore.usage.urls")),
    path("", include("external.webhooks.urls")),
    path("api/docs", api.docs, name="api_docs"),
    path("api/docs/errors", api.error_pages, name="api_errors"),
    path("api/v1/openapi.json", api.openapi, name="openapi"),
    path("api/v1/asyncapi.json", api.asyncapi, name="asyncapi"),
    path("api/v1/auth/", include("allauth.headless.urls")),
    path("api/v1/", include(api.resources)),
    path("api/<path:missing>", api.missing),
    path("", include(api.signposts)),
    path("", include("external.urls")),
    path("", include("conversations.urls")),
]

handler400 = "chatcore.problems.bad_request"
handler403 = "chatcore.problems.forbidden"
handler404 = "chatcore.problems.not_found"
handler500 = "chatcore.problems.server_error"
