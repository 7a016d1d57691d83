"""`ipd-theory explore`: where the pages are, in words where there is no browser, and served."""

import json
import subprocess
import sys
import urllib.request
import webbrowser
from pathlib import Path

import pytest

from ipd_theory import cli

MOST_BYTES = 150_000


def test_its_pages_are_small_and_ask_for_nothing_else(capsys: pytest.CaptureFixture[str]):
    cli.main(["explore", "--json"])
    said = json.loads(capsys.readouterr().out)
    page = Path(said["path"])
    assert said["address"] == page.as_uri()
    files = [path for path in page.parent.iterdir() if path.is_file()]
    assert sum(path.stat().st_size for path in files) < MOST_BYTES
    text = page.read_text()
    assert {path.name for path in files} - {page.name} == {path.name for path in files if f'"{path.name}"' in text}
    assert not [path.name for path in files if "://" in path.read_text().replace("http://www.w3.org/2000/svg", "")]


def test_it_opens_the_browser_at_a_scene(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    opened: list[str] = []
    monkeypatch.setattr(webbrowser, "open", lambda address: bool(opened.append(address) or True))
    cli.main(["explore", "--scene", "#1/pair?p=TFT&q=GRIM"])
    (address,) = opened
    assert address.endswith("/index.html#1/pair?p=TFT&q=GRIM")
    assert capsys.readouterr().out.split() == [address]


def test_without_a_browser_it_says_what_to_open(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    monkeypatch.setattr(webbrowser, "open", lambda _: False)
    cli.main(["explore"])
    said = capsys.readouterr()
    assert said.out.startswith("file:///")
    assert "no browser" in said.err


def test_it_serves_its_pages_to_this_machine():
    command = [sys.executable, "-m", "ipd_theory", "explore", "--serve", "--port", "0", "--scene", "1/pair"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as server:
        assert server.stdout is not None
        try:
            address = server.stdout.readline().strip()
            assert address.startswith("http://127.0.0.1:")
            assert address.endswith("/#1/pair")
            with urllib.request.urlopen(address) as page:
                assert b"chain.js" in page.read()
        finally:
            server.terminate()
