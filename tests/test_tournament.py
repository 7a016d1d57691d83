"""The round robin against pairs played one by one, and the command's output."""

import json
import subprocess
import sys

import jax
import jax.numpy as jnp
import matplotlib.image
import numpy as np
import optax
import pytest
from scipy import stats

import ipd_theory as ipd
from ipd_theory import equilibria
from ipd_theory.learning import rules
from ipd_theory.learning.play import learn
from ipd_theory.learning.tournament import meta_game, play_all

ENTRANTS = (rules.naive(), rules.lola_as_published(4.0), rules.extragradient(4.0))
OPTIMIZERS = optax.sgd(4.0), optax.sgd(1.0, momentum=0.5), optax.sgd(2.0)
SETTINGS = {"discount": 0.9, "steps": 6}
HOW = {"optimizers": OPTIMIZERS, "every": (1, 1, 2), "tail": 2, **SETTINGS}
OWN_GAME = (3.0, -1.0, 2.5, 0.5, 1.0, 2.0, -2.0, 0.0)


def test_every_match_is_the_pair_played_alone():
    game = ipd.MatrixGame(jnp.reshape(jnp.array(OWN_GAME), (2, 2, 2)))
    logits = jax.random.normal(jax.random.key(0), (2, 2, 5))
    out = play_all(game, ENTRANTS, logits, **HOW)
    for i, j in ((0, 1), (2, 1)):
        alone = learn(
            game,
            (ENTRANTS[i], ENTRANTS[j]),
            logits[:, 0],
            logits[:, 1],
            optimizers=(OPTIMIZERS[i], OPTIMIZERS[j]),
            every=(HOW["every"][i], HOW["every"][j]),
            **SETTINGS,
        )
        for role, (row, column) in enumerate(((i, j), (j, i))):
            np.testing.assert_allclose(
                out.returns[role, row, column], alone.returns[..., role].mean(0), rtol=1e-10, atol=1e-12
            )
            np.testing.assert_allclose(
                out.scores[role, row, column], alone.returns[:, -2:, role].mean(-1), rtol=1e-10, atol=1e-12
            )


@pytest.mark.parametrize(
    "game",
    [
        ipd.games.stag_hunt(),
        ipd.games.chicken(),
        ipd.games.matching_pennies(),
        ipd.games.battle_of_the_sexes(),
        ipd.MatrixGame(jnp.reshape(jnp.array(OWN_GAME), (2, 2, 2))),
    ],
    ids=["stag hunt", "chicken", "matching pennies", "battle of the sexes", "asymmetric"],
)
def test_every_game_between_rules_is_solved(game):
    """The meta-game has an equilibrium, and nobody gains more than rounding by any deviation, checked one by one."""
    out = play_all(game, ENTRANTS, jax.random.normal(jax.random.key(0), (2, 2, 5)), **HOW)
    table = meta_game(game, out)
    found = equilibria.nash_equilibria(table.A, table.B)
    assert found
    for row, column, gap in found:
        assert row.sum() == pytest.approx(1)
        assert column.sum() == pytest.approx(1)
        gains = [
            *(sum(table.A[k, j] * column[j] for j in range(3)) - row @ table.A @ column for k in range(3)),
            *(sum(table.B[i, k] * row[i] for i in range(3)) - row @ table.B @ column for k in range(3)),
        ]
        assert max(gains) == pytest.approx(gap, abs=1e-12)
        assert gap < 1e-7
    if ipd.games.is_symmetric(game):
        np.testing.assert_array_equal(table.B, table.A.T)
    else:
        np.testing.assert_allclose(table.A_error, stats.sem(out.scores[0], axis=-1), rtol=1e-12)
    if (game.payoffs[0] == -game.payoffs[1]).all():
        np.testing.assert_allclose(table.A + table.B, 0, atol=1e-12)


@pytest.mark.parametrize(
    ("change", "message"), [({"tail": 9}, "tail"), ({"every": (1,)}, "every"), ({"steps": 0}, "steps")]
)
def test_bad_settings_are_one_clear_error(change, message):
    settings = {"discount": 0.9, "steps": 3, "optimizers": (optax.sgd(1.0),) * 3} | change
    with pytest.raises(ValueError, match=message):
        play_all(ipd.prisoners_dilemma(), ENTRANTS, np.zeros((1, 2, 5)), **settings)


def run(*arguments):
    command = [sys.executable, "-c", "from ipd_theory.cli import main; main()", "tournament", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=300)


def test_the_command_prints_the_solved_meta_game(tmp_path):
    plot = tmp_path / "meta-game.png"
    quick = ["--rules", "naive", "lola(2)", "--seeds", "4", "--steps", "20", "--tail", "5", "--seed", "1"]
    done = run(*quick, "--json", "--plot", str(plot))
    assert done.returncode == 0, done.stderr
    data = json.loads(done.stdout)
    assert data["rules"] == ["naive", "lola(2)"]
    payoffs = np.array(data["payoffs"])
    assert payoffs.shape == (2, 2)
    assert (np.array(data["standard_errors"]) > 0).all()
    for equilibrium in data["equilibria"]:
        assert equilibrium["gap"] < 1e-8 * 10
    assert data["setting"]["every"] == [1, 1]
    assert data["setting"]["rules"]["lola(2)"] == "lola_with_look_ahead(step=2.0)"
    assert data["disowned"] == {}
    assert plot.stat().st_size > 1000


def test_the_command_shows_both_sides_of_a_game_of_ones_own(tmp_path):
    numbers = [str(x) for x in OWN_GAME]
    quick = ["--rules", "naive", "--seeds", "2", "--steps", "2", "--tail", "1", "--plot", str(tmp_path / "both.png")]
    done = run(*quick, "--payoffs", *numbers)
    assert done.returncode == 0, done.stderr
    height, width, _ = matplotlib.image.imread(tmp_path / "both.png").shape
    assert width > 2 * height  # two panels
    for said in (
        "player 1, the row",
        "player 2, the column",
        "equilibrium: naive  against  naive",
        str(OWN_GAME[:4])[1:-1],
    ):
        assert said in done.stdout


def test_the_command_counts_the_payoffs():
    done = run("--payoffs", "1", "2")
    assert done.returncode == 2
    assert "eight" in done.stderr


def test_the_command_names_an_unknown_rule():
    done = run("--rules", "nonsense")
    assert done.returncode == 2
    assert "nonsense" in done.stderr


def test_the_command_names_rules_that_are_none():
    done = run("--rules")
    assert done.returncode == 2
    assert done.stderr == "error: --rules must name one rule or more; got none\n"
