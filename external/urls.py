"""Addresses of external messages beside the API: the door of vendors, and the pages of owners."""

from django.urls import path

from external.authenticators.pages import AUTHENTICATORS
from external.schedules.pages import SCHEDULES
from external.sources import views as sources
from external.sources.pages import SOURCES

urlpatterns = [
    path("in/<str:adapter>/<uuid:source>/", sources.vendor, name="vendor"),
    path("in/<str:adapter>/<uuid:source>", sources.vendor),
    *AUTHENTICATORS.urls(),
    *SCHEDULES.urls(),
    *SOURCES.urls(),
]
