"""FILE.py:NAME and MODULE:NAME: what stands there, once; what does not is one line, the same for every command."""

import sys
from pathlib import Path

import pytest

from ipd_theory import _places, cli

FILE = "import beside\ncounted = beside.count()\n\n\ndef humble():\n    pass\n"
BROKEN = "half = 1\n\n\ndef f():\n    return half / 0\n\n\nf()\n"
WRONG = {
    "nowhere.py:f": "there is no file nowhere.py",
    "mine.py:humbel": "mine.py defines no humbel; did you mean humble?",
    "mine.py": "a place must be FILE.py:NAME or MODULE:NAME",
    "mine:humble": "there is no module mine; did you mean mine.py:humble?",
    "no_such_module:humble": "there is no module no_such_module",
    "ipd_theory.no_such:f": "there is no module ipd_theory.no_such",
    ".mine:humble": "there is no module .mine",
    "a.txt:f": "there is no module a.txt",
    "broken.py:f": "running it fails, line 5: ZeroDivisionError: division by zero",
    "lacking.py:f": "running it fails, line 1: ModuleNotFoundError: No module named 'not_there'",
    "syntax.py:f": "running it fails: SyntaxError: ",
    "leaving.py:f": "running it fails, line 2: SystemExit: 3",
}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    texts = {"mine": FILE, "broken": BROKEN, "lacking": "import not_there\n", "syntax": "def f(:\n"}
    texts |= {"leaving": "import sys\nsys.exit(3)\n", "beside": "calls = []\n\n\ndef count():\n    calls.append(0)\n"}
    texts["beside"] += "    return len(calls)\n"
    for name, text in texts.items():
        (tmp_path / f"{name}.py").write_text(text)
    yield tmp_path
    for name in [name for name in sys.modules if name == "beside" or name.startswith(str(tmp_path))]:
        del sys.modules[name]


def test_a_file_is_run_once_and_may_import_its_neighbours(folder: Path):
    assert _places.load("mine.py:counted") == _places.load(f"{folder}/mine.py:counted") == 1
    assert _places.load("mine.py:humble").__module__ == str(folder / "mine.py")
    assert _places.load("json.decoder:JSONDecoder").__name__ == "JSONDecoder"


@pytest.mark.parametrize("place", WRONG)
def test_what_is_not_there_is_one_line(place: str):
    with pytest.raises(ValueError) as raised:  # noqa: PT011 (what it says is what follows)
        _places.load(place)
    assert str(raised.value).startswith(f"{place!r}: {WRONG[place]}")
    assert "\n" not in str(raised.value)
    assert place not in sys.modules


@pytest.mark.parametrize("place", [place for place in WRONG if ":" in place])
@pytest.mark.parametrize(
    ("option", "line"),
    [
        ("--estimator", "verify --estimator {place}"),
        ("--learner", "verify --learner {place}"),
        ("--rules", "tournament --rules naive {place}"),
        ("--rules", "tournament --rules naive {place}(2)"),
        ("--own-network", "train ipd-shaping-quick --out run --own-network {place}"),
        ("--own-environment", "train ipd-shaping-quick --out run --own-environment {place}"),
    ],
)
def test_every_option_says_the_same(option: str, line: str, place: str, capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit) as end:
        cli.main(line.format(place=place).split())
    said = capsys.readouterr().err
    assert end.value.code == 2
    assert said.startswith(f"error: {option}: {place!r}: {WRONG[place]}")
    assert said.count("\n") == 1
