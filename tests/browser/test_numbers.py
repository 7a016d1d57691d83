"""The explorer's numbers are the library's, to 1e-12: pure pairs, random scenes, and the snippets it gives."""

import json
from collections.abc import Callable
from typing import Any

import jax
import numpy as np
import pytest
from scipy.integrate import solve_ivp
from scipy.special import softmax

import ipd_theory as ipd
from tests.browser.random_scenes import fragments

TOLERANCE = 1e-12
NUMBERS = """scenes => scenes.map(([p, q, discount, R, S, T, P]) => {
  const E = Explorer, game = { R, S, T, P }, best = E.bestReplies(game, q, discount);
  return { returns: E.returns(game, p, q, discount), occupancy: E.occupancy(p, q, discount), value: best.value,
    optimal: best.optimal, line: E.enforcedLine(game, p, discount) };
})"""


def _scenes(rng: np.random.Generator) -> tuple[list[Any], ...]:
    """Tables, discounts and payoffs of 1,024 pure pairs in the limit of means, then of 1,000 random scenes."""
    pure = np.asarray(ipd.strategies.all_pure(1))
    n = 1000
    tables = [np.repeat(pure, 32, 0), np.tile(pure, (32, 1))]
    random = rng.beta(0.5, 0.5, (2, n, 5))
    random = np.where(rng.random((2, n, 5)) < 0.2, random.round(), random)  # some entries are certain
    discount = np.where(
        rng.random(n) < 0.2, 1.0, rng.choice([rng.random(n), 1 - 10.0 ** rng.uniform(-9, -1, n)], axis=0)
    )
    payoffs = np.concatenate([np.tile([3.0, 0.0, 5.0, 1.0], (1024, 1)), rng.uniform(-5, 5, (n, 4))])
    p, q = (np.concatenate(pair) for pair in zip(tables, random, strict=True))
    return p, q, np.concatenate([np.ones(1024), discount]), payoffs


def test_pairs(opened: Callable[..., Any], rng: np.random.Generator):
    p, q, discount, payoffs = _scenes(rng)
    page = opened()
    asked = [
        [a.tolist(), b.tolist(), g, *r] for a, b, g, r in zip(p, q, discount.tolist(), payoffs.tolist(), strict=True)
    ]
    found = page.evaluate(NUMBERS, asked)
    game = ipd.games.symmetric_game(*payoffs.T)
    replies = ipd.replies.best_responses(game, q, discount=discount)
    expected = {
        "returns": ipd.expected_returns(game, p, q, discount=discount),
        "occupancy": ipd.state_occupancy(p, q, discount=discount),
        "value": replies.value,
    }
    for name, wanted in expected.items():
        got = np.array([one[name] for one in found])
        assert np.abs(got - np.asarray(wanted)).max() < TOLERANCE, name
    np.testing.assert_array_equal([one["optimal"] for one in found], np.asarray(replies.optimal))


def test_strategies_by_name_and_the_lines_that_they_enforce(opened: Callable[..., Any], rng: np.random.Generator):
    page = opened()
    names = page.evaluate("Explorer.NAMES")
    for game in (ipd.prisoners_dilemma(), ipd.games.axelrod()):
        R, S, T, P = np.asarray(game.outcome_payoffs)[0].tolist()
        for discount in (1.0, 0.95, 0.6, 0.1):
            for name in names:
                low, high = {"EXTORT": (1, 10), "GENEROUS": (1, 10), "EQUALIZER": (P, R)}.get(name, (0, 1))
                x = float(rng.uniform(low, high))
                text = f"{name}({x})" if page.evaluate("name => name in Explorer.NUMBERS", name) else name
                arguments = [text, {"R": R, "S": S, "T": T, "P": P}, discount]
                got = page.evaluate("([text, game, discount]) => Explorer.table(text, game, discount)", arguments)
                try:
                    wanted = np.asarray(ipd.strategies.named(text, game=game, discount=discount))
                except ValueError:
                    assert got is None, text
                    continue
                assert np.abs(np.array(got) - wanted).max() < TOLERANCE, text
                asked = [got, arguments[1], discount]
                line = page.evaluate("([p, game, discount]) => Explorer.enforcedLine(game, p, discount)", asked)
                known = ipd.payoff_sets.enforced_line(game, wanted, discount)
                assert (line is None) == (known is None), text
                if known is not None:
                    assert np.abs(np.array([line["slope"], line["baseline"]]) - known).max() < TOLERANCE, text


PIECES = """([settings, A, start, times]) => ({
  drift: Explorer.drift({ R: 1, S: -1, T: 2, P: 0 }, settings), learners: Explorer.LEARNERS,
  chain: Explorer.parts({ R: 1, S: -1, T: 2, P: 0 }, [0, 0, 0, 0, 0], settings),
  path: Explorer.replicator(A, start, times[times.length - 1], times.length - 1),
})"""


def test_drift_and_dynamics(opened: Callable[..., Any], rng: np.random.Generator):
    """The drift in closed form, as the library's and by the page's own chain; the dynamics against another method."""
    page, times = opened(), np.linspace(0, 60, 13)
    for _ in range(6):
        settings = {
            "discount": rng.uniform(0, 0.99),
            "rate": rng.uniform(0, 10),
            "steps": 12,
            "error": rng.uniform(0, 0.4),
        }
        A, start = rng.uniform(-1, 2, (4, 4)), rng.dirichlet(np.ones(4))
        found = page.evaluate(PIECES, [settings, A.tolist(), start.tolist(), times.tolist()])
        drift = ipd.phases.drift.defection_drift(
            ipd.prisoners_dilemma(),
            np.array(found["learners"], float),
            discount=settings["discount"],
            learning_rate=settings["rate"],
            num_inner_episodes=settings["steps"],
            tremble=settings["error"],
        )
        for name, wanted in (("current", drift.current), ("shaping", drift.shaping), ("among", drift.among_meta)):
            for way in ("drift", "chain"):
                got = np.array(found[way][name])
                assert np.abs(got - np.asarray(wanted)).max() < TOLERANCE, (way, name)

        def rate(_: float, u: np.ndarray, A: np.ndarray = A) -> np.ndarray:
            return (A - np.diag(A)) @ softmax(u)

        path = solve_ivp(rate, (0, 60), np.log(start), "DOP853", times, rtol=1e-13, atol=1e-13, max_step=0.1).y
        assert np.abs(np.array(found["path"]) - softmax(path, axis=0).T).max() < TOLERANCE


# The library integrates replicator dynamics to 1e-10; the test above holds the page's to 1e-12.
LOOSER = {"path": 1e-7}


def _compare(got: Any, wanted: Any, where: str, tolerance: float) -> None:
    if got is None or wanted is None or isinstance(got, str):
        assert got == wanted, where
    elif isinstance(got, dict):
        _compare(list(got.values()), list(wanted.values() if isinstance(wanted, dict) else wanted), where, tolerance)
    else:
        got, wanted = np.asarray(got, float), np.asarray(wanted, float)
        assert got.shape == wanted.shape, where
        scale = np.maximum(1, np.abs(np.where(np.isinf(wanted), 1, wanted)))
        close = np.isclose(got, wanted, rtol=0, atol=tolerance * scale)  # ∞ is close to ∞
        assert close.all(), f"{where}: {got} {wanted}"


SCENES = {"pair": 4, "learner": 2, "map": 1, "population": 4, "batch": 4, "sandbox": 4}  # beside the usual one


@pytest.mark.parametrize("scene", SCENES)
def test_a_snippet_reproduces_its_scene(scene: str, opened: Callable[..., Any], capsys: pytest.CaptureFixture[str]):
    """The usual scene and a few random ones: what the page shows, and what the Python that it gives computes."""
    rng, page = np.random.default_rng(list(scene.encode())), opened(f"1/{scene}")
    asked_for = [f"1/{scene}", *fragments(page, scene, rng, SCENES[scene])]
    for fragment in asked_for:
        asked = "text => { const s = Explorer.read(text, Explorer.usualState()); return %s }"
        code = page.evaluate(asked % "Explorer.scene(s.scene).python(s)", fragment)
        numbers = json.loads(
            page.evaluate(asked % "JSON.stringify(Explorer.numbers(s), (k, x) => x === Infinity ? 'inf' : x)", fragment)
        )
        room: dict[str, Any] = {}
        with jax.numpy_dtype_promotion("standard"):  # as users have it
            exec(compile(code, fragment, "exec"), room)
        assert set(numbers) == set(room["numbers"]), fragment
        for name, value in numbers.items():
            value = np.inf if value == "inf" else value
            _compare(value, room["numbers"][name], f"{fragment} {name}", LOOSER.get(name, TOLERANCE))
    assert all(f"{name} " in capsys.readouterr().out for name in list(numbers)[:1])
