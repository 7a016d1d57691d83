"""What a newcomer writes: one file for a rule, an estimator, a figure, none for a game; used wherever users would."""

import dataclasses
import json
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import ipd_theory as ipd
import paper_figures
from ipd_theory import cli
from ipd_theory.learning import pool as pools
from ipd_theory.learning import rules
from ipd_theory.learning.rules import entrants
from ipd_theory.learning.tournament import Entrant, tournament
from ipd_theory.phases import store, sweep
from ipd_theory.phases.grid import Axis, Cell, Sweep, cell_of
from ipd_theory.rl import run_folder
from paper_figures import run

GAME = ipd.prisoners_dilemma()
RULE = """
import jax
from ipd_theory.learning.rules import Published, ascent, number


def _humble(view, x, y, share):
    return jax.grad(lambda x: (1 - share) * view.own(x, y) + share * view.other(x, y))(x)


def humble(share=0.5):
    return ascent("humble", _humble, share=number("share", share, 0.0, 1.0))


def half(x):
    return 1 / x


kind = humble(0.9)
BY_NAME = {"humble": Published(humble, (0.5,))}
"""


@pytest.fixture(name="folder")
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    (tmp_path / "mine.py").write_text(RULE)
    return tmp_path


def played(capsys: pytest.CaptureFixture[str], *entered: str) -> dict:
    small = ["--seeds", "2", "--steps", "3", "--tail", "1"]
    cli.main(["tournament", "--rules", *entered, *small, "--json"])
    return json.loads(capsys.readouterr().out)


def test_a_rule_from_a_file_plays_like_those_of_the_package(folder: Path, capsys: pytest.CaptureFixture[str]):
    said = played(capsys, "naive", "mine.py:humble(0.0)", "mine.py:humble", f"{folder}/mine.py:kind")
    assert said["rules"] == ["naive", "humble(0.0)", "humble", "kind"]
    assert said["setting"]["rules"]["humble"] == "humble(share=0.5)"
    payoffs = np.array(said["payoffs"])
    np.testing.assert_allclose(payoffs[0], payoffs[1], rtol=1e-9)  # without a share of the other's it is the gradient
    mine = entrants.entrant("mine.py:humble(0.25)", 0.9)
    in_python = tournament(GAME, ("naive", Entrant("mine", mine.rule)), seeds=2, steps=3, tail=1)
    same = tournament(GAME, ("naive", mine.rule), seeds=2, steps=3, tail=1)
    assert [e.name for e in same.entrants] == ["naive", "humble(share=0.25)"]
    np.testing.assert_array_equal(in_python.table.A, same.table.A)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("mine.py:humble(2)", r"'mine.py:humble\(2\)': share must be one finite number .* at most 1; got 2"),
        ("mine.py:humble(a)", r"'mine.py:humble\(a\)': every argument must be a finite number; got 'a'"),
        ("mine.py:humble(1, 2)", r"humble\(\) takes from 0 to 1 positional arguments but 2 were given"),
        ("mine.py:kind(1)", "it is a rule already, without arguments"),
        ("mine.py:BY_NAME", "a rule, or a function that returns one, must stand there; it is {"),
        ("mine.py:_humble", r"_humble\(\) missing 4 required positional arguments"),
        ("mine.py:half(0)", "ZeroDivisionError: division by zero"),
        ("mine.py:half(1)", "it must return a rule, as learning.rules.ascent"),
    ],
)
@pytest.mark.usefixtures("folder")
def test_what_is_no_rule_in_a_file_is_one_clear_error(text: str, message: str):
    with pytest.raises(ValueError, match=message) as raised:
        entrants.entrant(text, 0.9)
    assert "\n" not in str(raised.value)


def test_a_file_among_the_rules_is_a_rule_of_the_package(folder: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(rules, "__path__", [*rules.__path__, str(folder)])
    entrants._by_name.cache_clear()
    try:
        assert "humble" in entrants.names()
        assert "humble" in dir(rules)
        assert entrants.entrant("humble(0.25)", 0.9).rule == rules.humble(0.25)
        assert rules.mine.humble is rules.humble
        (folder / "another.py").write_text(RULE)
        entrants._by_name.cache_clear()
        with pytest.raises(ValueError, match="another rule is called humble, too"):
            entrants.names()
    finally:
        entrants._by_name.cache_clear()
        for name in ("mine", "another"):
            sys.modules.pop(f"{rules.__name__}.{name}", None)
            vars(rules).pop(name, None)


def test_a_game_that_differs_from_its_two_sides_has_a_map(folder: Path, capsys: pytest.CaptureFixture[str]):
    """In Python and on the command line, to the same numbers; what each agent earns is what its role earns."""
    asymmetric = ipd.games.bimatrix([[3.0, 0.0], [5.0, 1.0]], [[4.0, 7.0], [-1.0, 2.0]])
    cell = cell_of(asymmetric, inner_episodes=1, discount=0.9)
    settings = {"seeds": 2, "steps": 2, "num_learners": 1, "block": 16}
    axes = (Axis("p_naive", (0.0, 1.0)), Axis("T2", (5.0, 7.0)))
    grid = sweep.run(Sweep(axes, cell, **settings), folder / "map.zarr")
    assert grid.outcome.shape == (2, 2, 2)
    tables = jax.nn.sigmoid(jnp.asarray(grid.logits.sel(p_naive=1.0, T2=7.0, seed=0).values, float))
    first, second = ipd.expected_returns(asymmetric, tables[0], tables[1], discount=0.9)
    np.testing.assert_allclose(grid.among_meta.sel(p_naive=1.0, T2=7.0, seed=0), [first, second], rtol=1e-5)
    payoffs = "--R 3 --S 0 --T 5 --P 1 --R2 4 --S2 -1 --P2 2 --inner-episodes 1 --discount 0.9"
    line = f"phase --x p_naive:0:1:2 --y T2:5:7:2 --seeds 2 --steps 2 --num-learners 1 --block 16 {payoffs}"
    cli.main([*line.split(), "--cpu-devices", "1", "--out", str(folder / "maps"), "--boundary"])
    assert "p_naive 0 … 1" in capsys.readouterr().out
    there = store.load(folder / "maps" / "sweep.zarr")
    np.testing.assert_array_equal(there.logits, grid.logits)
    np.testing.assert_array_equal(there.outcome, grid.outcome)
    assert there.T2.attrs["long_name"] == "temptation T of player 2"


def test_agents_with_roles_ascend_what_their_role_earns(rng):
    """Against the package's returns and jax.grad for the learner's step, with two agents of each role."""
    game = ipd.games.bimatrix(rng.normal(size=(2, 2)), rng.normal(size=(2, 2)))
    pool = pools.Pool(0.3, 0.9, 0.7, num_inner_episodes=1, num_learners=1, num_agents=4, roles=True, game=game)
    logits, learners = jnp.asarray(rng.normal(size=(4, 5))), jnp.asarray(rng.normal(size=(4, 1, 5)))

    def meet(x, y, role):
        """What an agent of a role and its opponent earn."""
        pair = (x, y) if role == 0 else (y, x)
        returns = ipd.expected_returns(game, *(jax.nn.sigmoid(z) for z in pair), discount=0.9)
        return returns[role], returns[1 - role]

    def expected(x, agent):
        role, y = agent % 2, learners[agent, 0]
        taught = y + 0.7 * jax.grad(lambda z: meet(x, z, role)[1])(y)
        naive = (meet(x, y, role)[0] + meet(x, taught, role)[0]) / 2
        others = sum(meet(x, logits[j], role)[0] for j in range(4) if j % 2 != role) / 2
        return 0.3 * naive + 0.7 * others

    got = pools.objective(pool, jnp.asarray(0.1), logits, logits, learners)
    gradient = jax.grad(lambda x: pools.objective(pool, jnp.asarray(0.1), x, logits, learners).sum())(logits)
    for agent in range(4):
        value, slope = jax.value_and_grad(expected)(logits[agent], agent)
        np.testing.assert_allclose(got[agent], value, rtol=1e-12)
        np.testing.assert_allclose(gradient[agent], slope, rtol=1e-9, atol=1e-12)
    with pytest.raises(ValueError, match="self_play must be False with roles=True"):
        pools.Pool(0.3, roles=True, self_play=True)


def test_a_symmetric_game_with_roles_written_out_is_the_same_map(tmp_path: Path):
    """Payoffs of player 2 that are player 1's change nothing for two agents, but that maps without them keep apart."""
    axes, settings = (Axis("T", (1.5, 2.0)),), {"seeds": 2, "steps": 2, "num_learners": 1, "block": 16}
    plain = sweep.run(Sweep(axes, Cell(inner_episodes=1), **settings), tmp_path / "a.zarr")
    written = Sweep((), Cell(inner_episodes=1, T=2.0, T2=2.0), **settings)
    both = sweep.run(written, tmp_path / "b.zarr", reuse=[tmp_path / "a.zarr"])
    for name in plain:
        if "T" in plain[name].dims and name in both:
            np.testing.assert_allclose(both[name], plain[name].sel(T=2.0), rtol=1e-6, atol=1e-7)
    with pytest.raises(ValueError, match=r"holds a sweep with T2 2\.0, not None"):
        sweep.run(dataclasses.replace(written, cell=Cell(inner_episodes=1)), tmp_path / "b.zarr")
    with pytest.raises(ValueError, match=r"R2 must lie above P2 in every cell; got R2=1, P2=1\.5"):
        Sweep((), Cell(P2=1.5))
    assert cell_of(GAME, discount=0.5) == Cell(discount=0.5)
    with pytest.raises(ValueError, match="game must be one game for two players"):
        cell_of(ipd.games.public_goods(3, 2.0))


ESTIMATOR = '''
from ipd_theory.sampling.estimators import Estimator, coala_pg


def whole(rewards):
    """Everything that the batch earns, at every step."""
    return rewards.sum((-3, -2, -1), keepdims=True) / rewards.shape[-3] + 0 * rewards


mine = Estimator("whole", whole, label="whole return")
like_coala = Estimator("mine", coala_pg.weights, credit=coala_pg.credit)
'''


def test_an_estimator_from_a_file_is_held_to_its_claim(folder: Path, capsys: pytest.CaptureFixture[str]):
    (folder / "weighing.py").write_text(ESTIMATOR)
    small = ["--batch", "2", "--episodes", "1", "--length", "1", "--meta-episodes", "1000", "--json"]
    cli.main(["verify", "--estimator", "weighing.py:whole", "weighing.py:mine", *small])
    said = json.loads(capsys.readouterr().out)
    assert said["equal_in_fractions"] == {"weighing.py:whole": True, "whole return": True}
    assert all(verdict["exact_holds"] for verdict in said["verdicts"])


def test_an_estimator_from_a_file_trains(folder: Path, capsys: pytest.CaptureFixture[str]):
    (folder / "weighing.py").write_text(ESTIMATOR)
    sizes = "--iterations 1 --meta-batch 2 --batch 2 --inner-episodes 2 --episode-length 2 --gradient-parts-every 0"
    line = f"train ipd-shaping-quick {sizes} --meta.minibatches 1 --meta.epochs 1 --json"
    cli.main([*line.split(), "--methods", "weighing.py:like_coala"])
    assert json.loads(capsys.readouterr().out)["directory"] == "runs/ipd-shaping-quick-like_coala-seed0"
    config, _ = run_folder.read_config(folder / "runs" / "ipd-shaping-quick-like_coala-seed0")
    assert config.methods == ("weighing.py:like_coala",)
    for place, message in (
        ("weighing.py:mines", "weighing.py defines no mines; did you mean mine?"),
        ("weighing.py:mine", "an estimator needs a credit to train"),
        ("weighing.py:whole", "it must be an Estimator; got <function whole"),
    ):
        with pytest.raises(SystemExit):
            cli.main([*line.split(), "--methods", place])
        said = capsys.readouterr().err
        assert f"methods: {place!r}: {message}" in said
        assert said.count("\n") == 1


FIGURE = '''"""Figure Mine: squares."""

import dataclasses

import numpy as np
from matplotlib.figure import Figure

from paper_figures.about import OURS, About

ABOUT = About(name="Mine", source=OURS, seconds=1, arrays={"squares": ("x", "1")})


@dataclasses.dataclass(frozen=True)
class Settings:
    points: int = 3


PRESETS = {"quick": Settings(), "paper": Settings(9)}


def compute(settings, seed, progress):
    return {"squares": np.arange(float(settings.points)) ** 2}


def plot(arrays, settings):
    figure = Figure(figsize=(3, 2))
    figure.subplots().plot(arrays["squares"])
    return figure
'''


def test_a_file_among_the_figures_is_a_figure(folder: Path, capsys, monkeypatch: pytest.MonkeyPatch):
    (folder / "squares.py").write_text(FIGURE)
    monkeypatch.setattr(paper_figures, "__path__", [*paper_figures.__path__, str(folder)])
    monkeypatch.setattr(run, "FIGURES", run._found())
    try:
        cli.main(["figures", "--list"])
        assert "Mine           squares (1 s)" in capsys.readouterr().out
        cli.main(["figures", "mine"])
        assert (folder / "figures" / "Mine-quick-seed0.png").stat().st_size > 2000
        for text, message in (
            ("ABOUT = 3\n", "squares.py: ABOUT must be About"),
            ("def (", "squares.py is not Python"),
        ):
            (folder / "squares.py").write_text(text)
            with pytest.raises(ValueError, match=message):
                run._found()
    finally:
        sys.modules.pop("paper_figures.squares", None)
