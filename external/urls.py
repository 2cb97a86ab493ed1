"""Addresses of external messages beside the API."""

from django.urls import path

from external.sources import views as sources

urlpatterns = [
    path("in/<str:adapter>/<uuid:source>/", sources.vendor, name="source"),
    path("in/<str:adapter>/<uuid:source>", sources.vendor),
]
