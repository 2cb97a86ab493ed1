"""The staff site at /admin/: Django's, under our name."""

from django.contrib.admin.apps import AdminConfig
from django.contrib.admin.sites import AdminSite


class ChatcoreAdminSite(AdminSite):
    site_header = site_title = "Chatcore"
    index_title = "Staff pages"


class ChatcoreAdmin(AdminConfig):
    default_site = "chatcore.admin_site.ChatcoreAdminSite"
