"""What the browser needs to show pages offline: the service worker, and what it shows where nothing was kept."""

import hashlib
import json
from functools import lru_cache
from pathlib import Path

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.templatetags.static import static
from django.urls import reverse
from django.views.decorators.http import require_safe

FOLDER = settings.BASE_DIR / "static"
LEFT_OUT = {"js/api-docs.js", "worker/worker.js"}


@require_safe
def worker(request: HttpRequest) -> HttpResponse:  # noqa: ARG001
    """At the root, because a service worker serves only what lies below it; asked for anew at every visit."""
    response = HttpResponse(_script(), content_type="text/javascript; charset=utf-8")
    response["Cache-Control"] = "no-cache"
    return response


@require_safe
def offline(request: HttpRequest) -> HttpResponse:
    """Says that a page was not kept: a page of its own, or with `part` the middle of another one."""
    template = "conversations/offline.html" + ("#main" if "part" in request.GET else "")
    return render(request, template)


@lru_cache(maxsize=1)
def _script() -> str:
    """The worker with the files it keeps. Any of them changes its version, and so makes browsers fetch it anew."""
    files = [path for path in sorted(FOLDER.rglob("*")) if path.is_file() and _name(path) not in LEFT_OUT]
    code = (FOLDER / "worker" / "worker.js").read_text()
    digest = hashlib.sha256(code.encode())
    for path in files:
        digest.update(_name(path).encode() + path.read_bytes())
    addresses = [static(_name(path)) for path in files] + [static("django_htmx/htmx-2.min.js")]
    page = reverse("offline")
    known = {
        "VERSION": digest.hexdigest()[:12],
        "FILES": addresses,
        "OFFLINE": [page, f"{page}?part"],
    }
    return "".join(f"const {name} = {json.dumps(value)};\n" for name, value in known.items()) + code


def _name(path: Path) -> str:
    return path.relative_to(FOLDER).as_posix()
