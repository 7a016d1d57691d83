"""`ipd-theory evolve`: each process says what the library computes, within 80 columns, and draws it."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import ipd_theory as ipd
from ipd_theory import cli, evolution


def said(line: list[str], capsys: pytest.CaptureFixture[str]) -> Any:
    cli.main(["evolve", *line, "--json"])
    return json.loads(capsys.readouterr().out)


def test_the_published_mix_in_words_and_in_the_triangle(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cli.main(["evolve", "TFT", "ALLC", "ALLD", "--horizon", "100", "--plot", str(tmp_path / "flow.png")])
    printed = capsys.readouterr().out
    assert "0.774143" in printed
    assert all(len(row) <= 80 for row in printed.splitlines())
    assert (tmp_path / "flow.png").stat().st_size > 20_000


def test_finite_populations(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    names = ["ALLC", "ALLD", "TFT", "WSLS"]
    tables = [ipd.strategies.tremble(ipd.strategies.named(name), 0.01) for name in names]
    A = np.asarray(ipd.round_robin(ipd.games.axelrod(), tables, discount=1.0))
    line = [*names, "--error", "0.01", "--population", "50", "--process"]
    found = said([*line, "moran", "--plot", str(tmp_path / "invasions.pdf")], capsys)
    np.testing.assert_allclose(found["shares_of_time"], evolution.rare_mutation(A, 50, 0.1), rtol=1e-9)
    np.testing.assert_allclose(found["fixation"], evolution.fixation_matrix(A, 50, 0.1), rtol=1e-9)
    assert (tmp_path / "invasions.pdf").exists()
    pair = ["ALLC", "ALLD", "--error", "0.01", "--population", "50", "--process", "fermi", "--mutation", "0.1"]
    counted = said([*pair, "--plot", str(tmp_path / "counts.svg")], capsys)
    exact = evolution.count_distribution(A[:2, :2], 50, 0.1, 0.1, process="fermi")
    np.testing.assert_allclose(counted["probabilities"], exact, rtol=1e-9)


def test_generations_and_networks(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = said(["TFT", "ALLC", "ALLD", "--horizon", "100", "--process", "ecological", "--generations", "5"], capsys)
    A = np.array([[3, 3, 0.99], [3, 3, 0], [1.04, 5, 1]])
    np.testing.assert_allclose(found["shares"], evolution.ecological(A, np.full(3, 1 / 3), 5), rtol=1e-9)
    weak = ["ALLC", "ALLD", "--payoffs", "1,0,1.4,0", "--process", "network", "--population", "60", "--runs", "2"]
    weak += ["--generations", "20", "--start", "0.25", "0.75"]
    first = said([*weak, "--plot", str(tmp_path / "network.png")], capsys)
    shares = np.array(first["shares"])
    assert shares.shape == (2, 21, 2)
    np.testing.assert_allclose(shares[:, 0, 0], 0.25)
    assert said(weak, capsys)["shares"] == first["shares"]
    assert said([*weak, "--seed", "1"], capsys)["shares"] != first["shares"]


def test_the_succession_and_adaptive_dynamics(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = said(["--process", "heterogeneous", "--seed", "3", "--plot", str(tmp_path / "succession.png")], capsys)
    assert found["mean_payoff"][-1] > 2.9
    assert min(found["mean_payoff"]) < 1.2
    line = ["reactive(1, 0.9, 0.3)", "--payoffs", "2,-1,3,0", "--process", "adaptive", "--error", "0.01"]
    moved = said([*line, "--time", "2"], capsys)
    p, q = 0.01 + 0.98 * np.array(moved["paths"][0]).T  # on a circle around tit for tat, as played, until p is 1
    inside = p < 0.99
    np.testing.assert_allclose(np.hypot(1 - p, q)[inside], np.hypot(1 - p[0], q[0]), atol=1e-6)
    assert 3 < inside.sum() < inside.size
    cli.main(["evolve", *line, "--plot", str(tmp_path / "adaptive.png")])
    printed = capsys.readouterr().out
    assert "neighbours come back" in printed
    cli.main(["evolve", *line[1:-2]])  # without error a line of them, r = c/b = 1/3, and ALLD apart
    rests = [row.split("│")[1].strip() for row in capsys.readouterr().out.splitlines() if row.startswith("│")]
    assert rests[0] == "0.0000, 0.0000"
    ends = [x.partition(" (")[0].split(" to ") for x in rests if " to " in x]
    assert ends
    for first, last in ends:
        (p, q), (last_p, last_q) = (map(float, x.split(",")) for x in (first, last))
        assert p - q == pytest.approx(1 / 3, abs=2e-4)
        assert last_p - last_q == pytest.approx(1 / 3, abs=2e-4)
        assert p < last_p
    assert len(rests) < 8
    assert (tmp_path / "adaptive.png").stat().st_size > 20_000


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["TFT"], "STRATEGIES must be two or more"),
        (["TFT", "TFT"], "STRATEGIES must name each once"),
        (["TFT", "nonsense"], "STRATEGIES: "),
        (["TFT", "ALLD", "--start", "0.5", "0.6"], "--start must be 2 shares"),
        (["TFT", "ALLD", "--process", "moran", "--intensity", "2"], "--intensity"),
        (["TFT", "ALLD", "WSLS", "--process", "moran", "--mutation", "0.1"], "--mutation"),
        (["WSLS", "--process", "adaptive", "--error", "0.1"], "is not reactive"),
        (["TFT", "--process", "heterogeneous"], "STRATEGIES must be none"),
        (["ALLC", "ALLD", "--process", "ecological", "--payoffs", "1,-1,2,0"], "--payoffs"),
    ],
)
def test_bad_input_is_one_line(options: list[str], words: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        cli.main(["evolve", *options])
    assert stop.value.code == 2
    assert words in capsys.readouterr().err
