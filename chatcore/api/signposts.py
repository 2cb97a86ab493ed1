"""What stands beside the doors of live events, for who asks there as one asks elsewhere."""

from typing import ClassVar

from django.http import HttpRequest, HttpResponse
from django.urls import path
from django.views.decorators.csrf import csrf_exempt

from chatcore.errors import ChatcoreError, NotFound
from chatcore.problems import problem_response


class WebSocketWanted(ChatcoreError):
    """This address speaks WebSocket. Open /ws/ with a key; server-sent events of the same are at /events/."""

    status: ClassVar[int] = 426
    code: ClassVar[str] = "upgrade_required"
    remedy: ClassVar[str] = (
        "Open the address with a WebSocket client, or read the same events over plain HTTP at /events/. A proxy in "
        "front must pass the headers Upgrade and Connection on."
    )


@csrf_exempt
def events(request: HttpRequest) -> HttpResponse:
    return problem_response(
        request, NotFound("Open /events/ with a key: the stream's address ends with a slash.")
    )


@csrf_exempt
def websocket(request: HttpRequest) -> HttpResponse:
    answer = problem_response(request, WebSocketWanted())
    answer["Upgrade"], answer["Connection"] = "websocket", "Upgrade"
    return answer


signposts = [path("events", events), path("ws", websocket), path("ws/", websocket)]
