"""The explorer in a real headless Chromium: from a file and from the server of `ipd-theory explore`."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ipd_theory.commands.explore import PAGE

# A browser that is only looked into: it asks nothing of anybody.
QUIET = [
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
]
NAMES = ("chromium", "chromium-browser", "google-chrome")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what is in this folder."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.browser)


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    """Debian's Chromium, or the one that IPD_THEORY_CHROMIUM names."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed (extra `browser`)")
    path = os.environ.get("IPD_THEORY_CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)
    if path is None:
        pytest.skip(f"no browser: none of {', '.join(NAMES)} is on the path, and IPD_THEORY_CHROMIUM names none")
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=path, args=QUIET)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def file_address() -> str:
    """The page as a file."""
    return PAGE.as_uri()


@pytest.fixture(scope="session")
def served_address() -> Iterator[str]:
    """The page from `ipd-theory explore --serve`."""
    command = [sys.executable, "-m", "ipd_theory", "explore", "--serve", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as server:
        assert server.stdout is not None
        try:
            yield server.stdout.readline().strip()
        finally:
            server.terminate()


@pytest.fixture
def opened(chromium: Any, file_address: str) -> Iterator[Callable[..., Any]]:
    """Open an address, by default the file's, with what stands behind #; whatever the page complains of fails."""
    pages, said = [], []

    def go(
        fragment: str = "",
        address: str = file_address,
        width: int = 1280,
        scheme: str = "light",
        motion: str = "reduce",
    ) -> Any:
        page = chromium.new_page(viewport={"width": width, "height": 800}, color_scheme=scheme, reduced_motion=motion)
        page.on("console", lambda message: said.append(f"{message.type}: {message.text}"))
        page.on("pageerror", lambda error: said.append(f"error: {error}"))
        page.on("requestfailed", lambda request: said.append(f"failed: {request.url}"))
        page.goto(f"{address}#{fragment}" if fragment else address)
        pages.append(page)
        return page

    yield go
    for page in pages:
        page.close()
    assert not said
