"""The staff site at /admin/: Django's, under our name."""

from typing import Any

from django.contrib.admin.apps import AdminConfig
from django.contrib.admin.sites import AdminSite
from django.http import HttpRequest

# What staff come for, in the order in which a new server needs it; the others follow by name.
FIRST = ("llm", "usage", "accounts", "conversations", "external")


class ChatcoreAdminSite(AdminSite):
    site_header = site_title = "Chatcore"
    index_title = "Staff pages"

    def get_app_list(self, request: HttpRequest, app_label: str | None = None) -> list[Any]:
        found = super().get_app_list(request, app_label)
        return sorted(
            found, key=lambda app: FIRST.index(app["app_label"]) if app["app_label"] in FIRST else 99
        )


class ChatcoreAdmin(AdminConfig):
    default_site = "chatcore.admin_site.ChatcoreAdminSite"
