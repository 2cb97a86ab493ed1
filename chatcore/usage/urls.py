"""Addresses of the pages of usage."""

from django.urls import path

from chatcore.usage import views

urlpatterns = [
    path("workspace/usage/", views.usage, name="usage"),
    path("workspace/usage/budgets/add/", views.add_budget, name="add_budget"),
    path("workspace/usage/budgets/<uuid:budget_id>/", views.edit_budget, name="edit_budget"),
    path("workspace/usage/budgets/<uuid:budget_id>/remove/", views.remove_budget, name="remove_budget"),
]
