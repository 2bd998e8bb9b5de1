"""The built pages in a browser, wide and narrow: they fit, and the search knows the words of other libraries.

`make browser` runs this with Debian's Chromium, and leaves pictures of all pages in docs/_build/screenshots.
"""

from __future__ import annotations

import shutil
import threading
from collections.abc import Generator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from importlib import import_module
from pathlib import Path
from typing import Any, Final

import pytest

BUILT: Final = Path(__file__).parents[2] / "docs/_build"
PAGES: Final = sorted(path.name for path in (BUILT / "html").glob("*.html"))
VIEWS: Final = {"wide": (1280, "light"), "narrow": (400, "dark")}
"""Widths in pixels, and color schemes."""
SEARCHES: Final = {
    "save": "reference-images",
    "load": "reference-images",
    "docker import": "operations",
    "get_registry_data": "reference",
    "low-level API": "reference-clients",
    "from_env": "migrating-from-docker-py",
    "auth_config": "migrating-from-docker-py",
    "multi-platform": "caches-platforms-outputs",
    "retry": "retries",
    "fastapi": "web-service",
    "macos": "rootless-and-macos",
    "github actions": "caches-platforms-outputs",
    "air gap": "proxies-and-air-gaps",
    "fork": "threads-and-forks",
    "buildx": "migrating-from-python-on-whales",
}
"""Words of users, and a page that the search must find for them."""
OVERFLOWING: Final = """() => {
    const tables = [...document.querySelectorAll(".table-wrapper > table")]
    const narrow = tables.filter(each => (each.rows[0]?.cells.length ?? 0) < 4)
    return [document.documentElement, ...narrow.map(each => each.parentElement)]
        .filter(each => each.scrollWidth > each.clientWidth).map(each => each.outerHTML.slice(0, 300))
}"""
"""Function that returns what is wider than its place: the page, or a table; wide tables scroll."""


class Quiet(SimpleHTTPRequestHandler):
    """Serves files without a log."""

    def log_message(self, format: str, *args: object) -> None:  # the names of its base class
        pass


@pytest.fixture(scope="session")
def url() -> Generator[str]:
    """Serve the pages, as scripts may not read files."""
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=BUILT / "html")) as server:
        threading.Thread(target=server.serve_forever).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.fixture(scope="session")
def browser() -> Generator[Any]:
    playwright = import_module("playwright.sync_api")  # the Makefile installs it for these tests only
    program = shutil.which("chromium-headless-shell")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(params=VIEWS)
def view(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture
def tab(browser: Any, view: str) -> Generator[Any]:
    """Open a tab; fail if its console shows an error."""
    width, scheme = VIEWS[view]
    tab = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
    tab.set_default_timeout(10_000)  # ms
    errors: list[str] = []

    def on_console(message: Any) -> None:
        if message.type == "error":
            errors.append(message.text)

    def on_failure(failed: Any) -> None:
        errors.append(str(failed))

    tab.on("console", on_console)
    tab.on("pageerror", on_failure)
    tab.on("requestfailed", on_failure)
    yield tab
    tab.close()
    assert errors == []


def test_pages_are_built() -> None:
    assert "index.html" in PAGES


@pytest.mark.parametrize("page", PAGES)
def test_a_page_fits(page: str, view: str, tab: Any, url: str) -> None:
    assert tab.goto(f"{url}/{page}").status == 200
    pictures = BUILT / "screenshots"  # of the first 6,000 pixels
    height = tab.evaluate("Math.min(document.documentElement.scrollHeight, 6000)")
    top = {"x": 0, "y": 0, "width": VIEWS[view][0], "height": height}
    tab.screenshot(path=pictures / f"{page.removesuffix('.html')}-{view}.png", full_page=True, clip=top)
    assert tab.evaluate(OVERFLOWING) == []


@pytest.mark.parametrize(("words", "page"), SEARCHES.items(), ids=SEARCHES)
def test_search_finds_a_page(words: str, page: str, tab: Any, url: str) -> None:
    tab.goto(f"{url}/search.html?q={words.replace(' ', '+')}")
    tab.wait_for_function("document.querySelector('#search-results p')?.textContent.includes('found')")
    links = tab.eval_on_selector_all("#search-results li > a", "all => all.map(each => each.pathname)")
    assert f"/{page}.html" in links[:10]


def test_code_has_a_copy_button(tab: Any, url: str) -> None:
    tab.goto(f"{url}/get-started.html")
    assert tab.locator("button.copybtn").count() == tab.locator("div.highlight pre").count()
