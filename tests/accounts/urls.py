"""Addresses for the tests of the doors: the accounts' own, allauth's, and one probe behind every kind of door."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.urls import include, path
from ninja import NinjaAPI
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from chatcore.accounts.ninja import PrincipalAuth
from chatcore.accounts.principals import Principal
from chatcore.accounts.web import PrincipalRequest, with_principal


def described(principal: Principal) -> dict[str, Any]:
    return {
        "user": principal.user and principal.user.email,
        "workspace": str(principal.workspace.pk),
        "credential": principal.credential,
    }


class Probe(APIView):
    def get(self, request: Request) -> Response:
        return Response(described(request.auth))

    post = get


api = NinjaAPI(urls_namespace="probe", auth=PrincipalAuth())


@api.get("ninja")
async def read(request: HttpRequest) -> dict[str, Any]:
    return described(request.auth)  # type: ignore[attr-defined]


@api.post("ninja")
async def write(request: HttpRequest) -> dict[str, Any]:
    return described(request.auth)  # type: ignore[attr-defined]


@with_principal
def page(request: PrincipalRequest, word: str = "") -> HttpResponse:
    return HttpResponse(f"{request.principal.user} {word}")


def home(request: HttpRequest) -> HttpResponse:
    return HttpResponse(str(request.user))


urlpatterns = [
    path("", home),
    path("page/<str:word>/", page),
    path("", include("chatcore.accounts.urls")),
    path("accounts/", include("allauth.urls")),
    path("admin/", admin.site.urls),
    path("api/v1/auth/", include("allauth.headless.urls")),
    path("api/v1/drf/", Probe.as_view()),
    path("api/v1/", api.urls),
]
handler404 = "chatcore.problems.not_found"
