"""Addresses of the pages of webhooks."""

from django.urls import path

from external.webhooks import views

_ONE = "workspace/webhooks/<uuid:webhook_id>/"
_DELIVERY = "workspace/webhooks/deliveries/<uuid:delivery_id>/"

urlpatterns = [
    path("workspace/webhooks/", views.webhooks, name="webhooks"),
    path("workspace/webhooks/add/", views.add_webhook, name="add_webhook"),
    path(_ONE, views.webhook, name="webhook"),
    path(f"{_ONE}edit/", views.edit_webhook, name="edit_webhook"),
    path(f"{_ONE}remove/", views.remove_webhook, name="remove_webhook"),
    path(f"{_ONE}challenge/", views.challenge_webhook, name="challenge_webhook"),
    path(f"{_ONE}disable/", views.disable_webhook, name="disable_webhook"),
    path(f"{_ONE}rotate/", views.rotate_secret, name="rotate_webhook_secret"),
    path(f"{_ONE}redeliver/", views.redeliver_all, name="redeliver_all"),
    path(_DELIVERY, views.delivery, name="webhook_delivery"),
    path(f"{_DELIVERY}redeliver/", views.redeliver, name="redeliver"),
]
