"""Addresses of the accounts pages that are ours; allauth's are included beside them by the roof."""

from django.urls import path

from chatcore.accounts import views

urlpatterns = [
    path("welcome/<uuid:user_id>/<str:token>/", views.welcome, name="welcome"),
    path("workspace/", views.workspace, name="switch_workspace"),
]
