"""The figures' runner: data kept with its settings, nothing lost, bad names refused; the pool figures draw."""

import dataclasses
import inspect
import json
from pathlib import Path
from types import SimpleNamespace

import matplotlib.pyplot as plt
import numpy as np
import pytest

import ipd_theory
from ipd_theory import cli
from ipd_theory.rl.config import PRESETS
from paper_figures import recorded, run
from paper_figures.about import About


@dataclasses.dataclass(frozen=True)
class Settings:
    points: int = 3


@pytest.fixture
def counted(monkeypatch):
    """A figure of our own that counts how often it is computed."""
    calls = []

    def compute(settings, seed, progress):
        calls.append(seed)
        progress(1.0)
        if seed == 13:
            raise KeyboardInterrupt
        return {"x": np.arange(settings.points) * (np.nan if seed == 7 else 1.0)}

    def plot(arrays, settings):
        figure, axes = plt.subplots()
        axes.plot(arrays["x"])
        return figure

    figure = SimpleNamespace(
        PRESETS={"quick": Settings(), "paper": Settings(5)},
        ABOUT=About("3A", "nowhere", 1, {"x": ("point", "payoff")}, remark="it rises"),
        compute=compute,
        plot=plot,
        __doc__="A line.\n\nMore of it.",
    )
    monkeypatch.setattr(run, "module_of", lambda name: figure)
    return SimpleNamespace(calls=calls, figure=figure)


def test_data_is_stored_with_its_settings_and_used_again(counted, tmp_path):
    assert run.stored("3A", "quick", 0, tmp_path) is None
    arrays = run.compute("3A", "quick", 0, tmp_path)
    again = run.stored("3A", "quick", 0, tmp_path)
    np.testing.assert_array_equal(arrays["x"], again["x"])
    described = json.loads((tmp_path / "data" / "3A-quick-seed0.json").read_text())
    x = {"axes": ["point"], "unit": "payoff", "values": [0, 1, 2]}
    assert described == {"figure": "3A", "seed": 0, "points": 3, "arrays": {"x": x}}
    counted.figure.PRESETS["quick"] = Settings(4)  # other settings: the old data does not count
    assert run.stored("3A", "quick", 0, tmp_path) is None


def test_half_a_file_counts_as_none(counted, tmp_path):
    run.compute("3A", "quick", 0, tmp_path)
    path = tmp_path / "data" / "3A-quick-seed0.npz"
    path.write_bytes(path.read_bytes()[:100])
    assert run.stored("3A", "quick", 0, tmp_path) is None


def test_interrupts_and_nan_leave_nothing_behind_and_nothing_lost(counted, tmp_path):
    run.compute("3A", "quick", 0, tmp_path)
    with pytest.raises(KeyboardInterrupt):
        run.compute("3A", "quick", 13, tmp_path)
    with pytest.raises(FloatingPointError, match="figure 3A: x came out with NaN"):
        run.compute("3A", "quick", 7, tmp_path)
    assert sorted(p.name for p in (tmp_path / "data").iterdir()) == ["3A-quick-seed0.json", "3A-quick-seed0.npz"]
    assert run.stored("3A", "quick", 0, tmp_path) is not None


def command(monkeypatch, *arguments):
    monkeypatch.setattr("sys.argv", ["ipd-theory", *map(str, arguments)])
    cli.main()


def test_the_command_computes_draws_and_goes_on(counted, tmp_path, monkeypatch, capsys):
    command(monkeypatch, "figures", "3a", "--out", tmp_path)
    out, err = capsys.readouterr()
    assert out.split() == [str(tmp_path / f"3A-quick-seed0.{kind}") for kind in ("png", "pdf", "txt")]
    assert "figure 3A: computed (quick, seed 0)" in err
    command(monkeypatch, "figures", "3A", "--out", tmp_path, "--replot")
    assert "drawn from stored data" in capsys.readouterr().err
    assert counted.calls == [0]
    first = (tmp_path / "3A-quick-seed0.png").read_bytes()
    assert len(first) > 1000
    caption = (tmp_path / "3A-quick-seed0.txt").read_text()
    for words in ("More of it.", "Source: nowhere.", "it rises", "seed 0: points 3.", "x: point (payoff)"):
        assert words in caption
    command(monkeypatch, "figures", "3A", "--preset", "paper", "--seed", 1, "--out", tmp_path)
    assert (tmp_path / "3A-quick-seed0.png").read_bytes() == first
    command(monkeypatch, "figures", "3A", "--seed", 1, "--out", tmp_path)
    for other in ("paper", "quick"):  # what the remark says was seen with seed 0
        assert "it rises" not in (tmp_path / f"3A-{other}-seed1.txt").read_text()


def test_the_list_says_what_there_is(monkeypatch, capsys):
    """Every module with presets is listed with a line, its source and its time; no two share a name."""
    command(monkeypatch, "figures", "--list")
    said = " ".join(capsys.readouterr().out.split())
    folder = Path(run.__file__).parent
    with_presets = {path.stem for path in folder.glob("*.py") if "\nPRESETS = " in path.read_text()}
    assert sorted(run.FIGURES.values()) == sorted(with_presets)
    for name in run.FIGURES:
        about = run.module_of(name).ABOUT
        assert about.name == name
        place = about.source.removeprefix("Meulemans et al., ICLR 2025, ")
        apart = "" if place in ("our own", f"Figure {name}") else f"{place}, "
        assert f"{name} {run.first_line(name)} ({apart}{about.seconds:g} s" in said
    assert said.count("ICLR 2025") == said.count("our own") == 1
    assert list(run.FIGURES)[:3] == ["3A", "3B", "3C"]


def test_recorded_runs_have_no_other_seed(monkeypatch, capsys, tmp_path):
    with pytest.raises(ValueError, match="seed: figure 5 shows training runs of seeds of their own; got 20"):
        run.compute("5", "quick", 20, tmp_path)
    with pytest.raises(SystemExit):
        command(monkeypatch, "figures", "5", "--seed", 20, "--out", tmp_path)
    assert "--seed: figure 5 shows training runs of seeds of their own" in capsys.readouterr().err
    assert not any(tmp_path.iterdir())


def test_without_a_checkout_one_line_says_so(monkeypatch, capsys, tmp_path):
    """The installed package alone: neither beside it nor in the working directory is there a paper_figures."""
    monkeypatch.setattr(ipd_theory, "__file__", str(tmp_path / "site-packages" / "ipd_theory" / "__init__.py"))
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as stop:
        command(monkeypatch, "figures", "3A")
    assert stop.value.code == 2
    assert "run this in a checkout of the repository" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("figures", "99"), "figure name '99' is unknown; the figures are 3A"),
        (("figures", "3A", "--replot", "--seed", "5"), "--replot: no stored data of figure 3A"),
        (("figures", "3A", "--out", __file__), "must be a folder"),
        (("returns", "TFT", "NOBODY"), "Q: strategy 'NOBODY' is not known"),
        (("returns", "TFT", "1,1,1"), "Q: strategy '1,1,1' has 3 entries"),
        (("returns", "TFT", "0,0,0,0,2"), "Q: strategy '0,0,0,0,2' holds 2.0; every entry must lie in [0, 1]"),
        (("returns", "TFT", "TFT", "--discount", "1.5"), "--discount must lie in [0, 1]; got 1.5"),
        (("returns", "TFT", "TFT", "--payoffs", "1,2,x,4"), "--payoffs holds 'x', which is not a number"),
    ],
)
def test_bad_input_is_one_line_and_exit_status_2(arguments, message, monkeypatch, capsys, tmp_path):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as stop:
        command(monkeypatch, *arguments)
    assert stop.value.code == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("error: ")
    assert message in err.replace("\n", " ")


def test_returns_prints_a_table_and_json(monkeypatch, capsys):
    command(
        monkeypatch, "returns", "0.5,0.9,0.3,0.9,0.3", "0.2,0.7,0.1,0.7,0.1", "--discount", "1", "--payoffs", "3,0,5,1"
    )
    assert "1.941406" in capsys.readouterr().out
    command(
        monkeypatch,
        "returns",
        "0.5,9/10,0.3,0.9,0.3",
        "0.2,0.7,0.1,0.7,0.1",
        "--discount",
        "1",
        "--payoffs",
        "3,0,5,1",
        "--json",
    )
    data = json.loads(capsys.readouterr().out)
    np.testing.assert_allclose(data["returns"], [497 / 256, 657 / 256])
    np.testing.assert_allclose(np.sum(data["occupancy"]), 1)
    assert data["settings"]["discount"] == 1


@pytest.mark.parametrize("name", ["3A", "3B", "3C", "8", "9", "10"])
def test_pool_figures_compute_and_draw(name, tmp_path, monkeypatch):
    """A very short run of each, through to PNG and PDF."""
    module = run.module_of(name)
    short = {"steps": 2, "record_every": 1, "seeds": 2, "num_learners": 2, "num_inner_episodes": 2}
    if name == "3B":
        short["steps_before"] = 2
    settings = dataclasses.replace(module.PRESETS["quick"], **short)
    monkeypatch.setitem(module.PRESETS, "quick", settings)
    arrays = run.compute(name, "quick", 0, tmp_path)
    for path in run.draw(name, "quick", 0, tmp_path, arrays):
        assert path.stat().st_size > (500 if path.suffix == ".txt" else 5000)
    data = json.loads((tmp_path / "data" / f"{name}-quick-seed0.json").read_text())["arrays"]
    assert {key: np.ndim(x["values"]) for key, x in data.items()} == {key: len(x["axes"]) for key, x in data.items()}
    assert not plt.get_fignums()


def test_what_a_figure_trains_is_kept_under_the_figures_folder(counted, tmp_path, monkeypatch):
    """Whatever figure trains gets its folder from there, and the run that is missing is trained in it."""
    folders = []

    def trained(config, directory, seeds, **settings):
        folders.append(directory)
        directory.mkdir(parents=True)
        (directory / "metrics.jsonl").write_text("")

    def compute(settings, seed, progress, folder):
        recorded.lines(PRESETS["ipd-shaping-quick"], "never-recorded", (3,), folder)
        return {"x": np.zeros(3)}

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(recorded.runs, "train", trained)
    monkeypatch.setattr(recorded, "read_metrics", lambda directory: [])
    counted.figure.compute, counted.figure.ABOUT = compute, dataclasses.replace(counted.figure.ABOUT, keeps="runs")
    run.compute("3A", "quick", 0, tmp_path / "pictures")
    assert folders == [tmp_path / "pictures" / "runs" / "never-recorded-3"]
    assert [x.name for x in tmp_path.iterdir()] == ["pictures"]


def test_every_figure_that_trains_says_where_it_keeps_runs():
    for name in run._found():
        module = run.module_of(name)
        takes = "folder" in inspect.signature(module.compute).parameters
        assert takes == bool(module.ABOUT.keeps), name
