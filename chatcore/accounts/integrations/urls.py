"""Addresses of the pages of integrations."""

from django.urls import path

from chatcore.accounts.integrations import views

_ONE = "workspace/integrations/<uuid:integration_id>/"

urlpatterns = [
    path("workspace/integrations/", views.integrations, name="integrations"),
    path("workspace/integrations/add/", views.add_integration, name="add_integration"),
    path(_ONE, views.integration, name="integration"),
    path(f"{_ONE}edit/", views.edit_integration, name="edit_integration"),
    path(f"{_ONE}remove/", views.remove_integration, name="remove_integration"),
    path(f"{_ONE}keys/", views.make_key, name="make_key"),
    path(f"{_ONE}keys/<uuid:key_id>/revoke/", views.revoke_key, name="revoke_key"),
]
