"""Rules of the templates that no other tool checks: what the content security policy forbids, silently or not."""

import gzip
import re
from pathlib import Path

import django_htmx
import pytest

ROOT = Path(__file__).resolve().parents[3]
TEMPLATES = sorted((ROOT / "templates").rglob("*.html"))
MODULES = ROOT / "static" / "js"


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_template_needs_nothing_that_the_policy_forbids(path: Path) -> None:
    text = path.read_text()

    assert not re.search(r"\sstyle=|<style", text), "styles stand in style sheets"
    assert not re.search(r"\son[a-z]+=|hx-on", text), "behaviours stand in modules"
    assert not re.search(r"<script(?![^>]*\ssrc=)", text), "scripts stand in files"
    assert "js:" not in text, "htmx would drop the value and send the request"
    assert not re.search(r'hx-trigger="[^"]*\[', text), "htmx would drop the filter and fire always"


def imports(module: str, known: frozenset[str] = frozenset()) -> set[str]:
    """The modules it brings along, itself included."""
    found = {module}
    text = (MODULES / f"{module}.js").read_text()
    for name in re.findall(r'(?:from|import) "\./(\w+)\.js"', text):
        if name not in known | found:
            found |= imports(name, known | found)
    return found


def test_every_module_is_loaded_at_once() -> None:
    text = (ROOT / "templates" / "conversations" / "modules.html").read_text()

    preloaded = set(re.findall(r'modulepreload" href="{% static "js/(\w+)\.js', text))

    assert preloaded == imports("app") - {"app"}


def test_a_page_loads_at_most_60_kilobytes_of_script() -> None:
    htmx = Path(django_htmx.__file__).parent / "static" / "django_htmx" / "htmx-2.min.js"
    ours = [path for path in MODULES.glob("*.js") if path.name != "api-docs.js"]

    assert sum(len(gzip.compress(path.read_bytes(), 9)) for path in [htmx, *ours]) < 60 * 1024
