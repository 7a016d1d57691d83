"""A thousand random scenes of each kind: the page computes all of them at once, and so does the library, to 1e-12."""

import itertools
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.scipy.special import logit

import ipd_theory as ipd
from ipd_theory.learning import naive_path, rules, views
from ipd_theory.phases.drift import defection_drift
from tests.browser.random_scenes import NAMED, fragments, shown

COUNT = 1000
TOLERANCE = 1e-12
LIMIT = 0.999  # the greatest discount of scenes with learners
SHIFT = 1e-9


def _differs(got: Any, wanted: Any) -> float:
    """Return by how much, in units of what is wanted where that is above 1; infinities must be the same."""
    got, wanted = np.asarray(got, float), np.asarray(wanted, float)
    assert got.shape == wanted.shape
    finite = np.isfinite(wanted)
    np.testing.assert_array_equal(got[~finite], wanted[~finite])
    got, wanted = got[finite], wanted[finite]
    return float((np.abs(got - wanted) / np.maximum(1, np.abs(wanted))).max(initial=0.0))


def _games(state: dict[str, np.ndarray], axes: int = 0) -> ipd.games.MatrixGame:
    return ipd.games.symmetric_game(*(state[name].reshape(-1, *(1,) * axes) for name in "RSTP"))


@pytest.fixture(scope="module")
def plain() -> dict[str, np.ndarray]:
    """The tables of names that mean the same in every game."""
    return {name: np.asarray(ipd.strategies.named(name)) for name in (*NAMED, "GTFT", "RANDOM")}


def _table(text: str, plain: dict[str, np.ndarray]) -> np.ndarray:
    return np.array(text.split(","), float) if "," in text else plain[text]


def test_learners(opened: Callable[..., Any], plain: dict[str, np.ndarray]):
    """All steps of all walks, naive and LOLA's; a few multiply whatever they are shifted by, roundings too."""
    page, rng = opened("1/learner"), np.random.default_rng(1)
    state, found = shown(page, fragments(page, "learner", rng, COUNT))
    discount = np.minimum(state["discount"], LIMIT)
    view = views.repeated_game(_games(state), discount, np.dtype(float))
    fixed = jnp.clip(logit(np.stack([_table(text, plain) for text in state["me"]])), -40, 40)
    first = logit(np.tile(state["first"][:, None], 5))
    ahead = np.where(state["rule"] == "lola", state["ahead"], 0.0)
    most = int(state["steps"].max())

    def walk(view: Any, x: Any, y: Any, rate: Any, ahead: Any) -> Any:
        rule, learners = rules.lola_with_look_ahead(ahead), view.swapped()

        def step(carry: Any, _: None) -> Any:
            y, memory = carry
            direction, memory, _ = rule.update(learners, y, x, memory)
            return (y + rate * direction, memory), (jax.nn.sigmoid(y), jnp.stack([view.own(x, y), view.other(x, y)]))

        return jax.lax.scan(step, (y, rule.init(y, x)), length=most + 1)[1]

    walks = jax.jit(jax.vmap(walk))
    tables, earned = walks(view, fixed, first, state["rate"], ahead)
    shifted = [
        np.abs(x - y).max((1, 2))
        for x, y in zip(walks(view, fixed, first + SHIFT, state["rate"], ahead), (tables, earned), strict=True)
    ]
    allowed = np.maximum(TOLERANCE, 64 * np.finfo(float).eps * np.max(shifted, 0) / SHIFT)
    assert (allowed == TOLERANCE).mean() > 0.98
    for i, (one, steps) in enumerate(zip(found, state["steps"], strict=True)):
        assert _differs(one["earned"], earned[i, : steps + 1]) < allowed[i], i
        assert _differs(one["last"], tables[i, steps]) < allowed[i], i


AGAIN = """(() => {
  const text = Explorer.fragment(state), again = Explorer.read(text, Explorer.usualState());
  return { text, same: JSON.stringify(again) === JSON.stringify(state) };
})()"""


@pytest.mark.parametrize("scene", ["pair", "learner", "map", "population", "batch", "sandbox"])
def test_addresses_say_the_state(scene: str, opened: Callable[..., Any]):
    page, rng = opened(f"1/{scene}"), np.random.default_rng(list(scene.encode()))
    asked = fragments(page, scene, rng, COUNT)
    state, found = shown(page, asked, AGAIN)
    assert all(one["same"] for one in found)
    assert max(len(one["text"]) for one in found) < 420
    assert all(one["text"].startswith(f"#1/{scene}") for one in found)
    assert len(np.unique(state["discount"])) == COUNT
    other, _ = shown(page, [one["text"] for one in found], "null")
    assert all(np.array_equal(other[name], values) for name, values in state.items())


SETTINGS = (
    "{ discount: Math.min(state.discount, 0.999), rate: state.rate, steps: state.episodes, error: state.tremble }"
)
CELL = f"""(() => {{ const drift = Explorer.drift(Explorer.game(state), {SETTINGS});
  const critical = String(Explorer.criticalShare(drift, state.batch));
  return {{ drift: Explorer.ofPool(drift, state.share, state.batch), critical }}; }})()"""
LEARNERS = np.array([[*x, np.prod(x)] for x in itertools.product([1.0, -1.0], repeat=4)])


def test_cells_of_the_map(opened: Callable[..., Any]):
    page, rng = opened("1/map"), np.random.default_rng(2)
    asked = fragments(page, "map", rng, COUNT)
    asked = [f"{text}&episodes={episodes}" for text, episodes in zip(asked, np.arange(COUNT) % 8 * 5, strict=True)]
    state, found = shown(page, asked, CELL)
    for episodes in range(0, 40, 5):  # a number for the library, an array for all else
        rows = np.flatnonzero(state["episodes"] == episodes)
        here = {name: values[rows] for name, values in state.items()}
        drift = defection_drift(
            _games(here),
            LEARNERS,
            discount=np.minimum(here["discount"], LIMIT),
            learning_rate=here["rate"],
            num_inner_episodes=episodes,
            tremble=here["tremble"],
        )
        pool, critical = drift.of_pool(here["share"], here["batch"]), drift.critical_p_naive(here["batch"])
        assert _differs([found[i]["drift"] for i in rows], pool) < TOLERANCE, episodes
        shares = [found[i]["critical"].replace("Infinity", "inf") for i in rows]
        assert _differs(np.array(shares, float), critical) < TOLERANCE, episodes


CLIMB = f"""(() => {{ const one = Explorer.parts(Explorer.game(state), Explorer.tables.shift(), {SETTINGS});
  return {{ value: one.value, slope: Explorer.ofPool(one, state.share, state.batch) }}; }})()"""


def test_what_agents_of_a_cell_climb(opened: Callable[..., Any]):
    """The value and the slope, at random tables, of what is trained on the map."""
    page, rng = opened("1/map"), np.random.default_rng(3)
    tables = rng.uniform(0.01, 0.99, (COUNT, 5))
    page.evaluate("tables => { Explorer.tables = tables; }", tables.tolist())
    state, found = shown(page, fragments(page, "map", rng, COUNT), CLIMB)
    games, discount = _games(state), np.minimum(state["discount"], LIMIT)
    most = int(state["episodes"].max())
    delta, played = jnp.asarray(1 - discount), lambda x: ipd.strategies.tremble(jax.nn.sigmoid(x), state["tremble"])

    def against_naive(x: Any, weight: Any) -> Any:
        return naive_path.naive_shaping_return(
            x[:, None],
            jnp.asarray(LEARNERS),
            games.outcome_payoffs[:, None],
            delta[:, None],
            jnp.asarray(state["rate"])[:, None],
            most,
            steps_taken=jnp.asarray(state["episodes"])[:, None],
            tremble=jnp.asarray(state["tremble"])[:, None],
            shaping_weight=jnp.asarray(weight)[:, None],
        ).mean(1)

    @jax.jit
    def climbed(x: Any) -> Any:
        def total(x: Any) -> Any:
            among = ipd.expected_returns(games, played(x), jax.lax.stop_gradient(played(x)), discount=discount)[..., 0]
            pool = state["share"] * against_naive(x, 1 / state["batch"]) + (1 - state["share"]) * among
            return pool.sum()

        return against_naive(x, np.ones(COUNT)), jax.grad(total)(x)

    value, slope = climbed(logit(tables))
    assert _differs([one["value"] for one in found], value) < TOLERANCE
    assert _differs(np.array([one["slope"] for one in found]) * tables * (1 - tables), slope) < TOLERANCE


def test_populations(opened: Callable[..., Any], plain: dict[str, np.ndarray]):
    """Payoffs, who takes over whom, and where small populations spend their time."""
    page, rng = opened("1/population"), np.random.default_rng(4)
    state, found = shown(page, fragments(page, "population", rng, COUNT))
    tables = np.array([[_table(text, plain) for text in names.split(" ")] for names in state["names"]])
    played = np.asarray(ipd.strategies.tremble(tables, state["tremble"][:, None]))
    discount = state["discount"][:, None, None]
    A = np.asarray(ipd.expected_returns(_games(state, 2), played[:, :, None], played[:, None], discount=discount))[
        ..., 0
    ]
    assert _differs([one["payoffs"] for one in found], A) < TOLERANCE
    for size in np.unique(state["size"]):
        rows = np.flatnonzero(state["size"] == size)
        settings = A[rows], int(size), state["intensity"][rows]
        fixation = ipd.evolution.fixation_matrix(*settings, process="fermi")
        assert _differs([found[i]["fixation"] for i in rows], fixation) < TOLERANCE, size
        rare = ipd.evolution.rare_mutation(*settings, process="fermi")
        assert _differs([found[i]["rare"] for i in rows], rare) < TOLERANCE, size


REWARDS = """(() => { const discount = Math.min(state.discount, 0.999), game = Explorer.game(state);
  return { shown: Explorer.numbers(state), rewards: Explorer.play(game, Explorer.table(state.ego, game, discount),
    { ...state, discount, batch: state.B, episodes: state.M, steps: state.steps_each }) }; })()"""


def test_credits(opened: Callable[..., Any]):
    """Each estimator's weight of one action, against the library's in fractions."""
    page, rng = opened("1/batch"), np.random.default_rng(5)
    state, found = shown(page, fragments(page, "batch", rng, COUNT), REWARDS)
    for i, one in enumerate(found):
        rewards = np.array(one["rewards"])
        sizes = [state[name][i] for name in ("B", "M", "steps_each")]
        assert list(rewards.shape) == sizes
        assert np.isin(rewards, [state[name][i] for name in "RSTP"]).all()
        exact = np.vectorize(Fraction, otypes=[object])(rewards)
        at = tuple(min(state[name][i], size) - 1 for name, size in zip("bmt", sizes, strict=True))
        for name, weight in one["shown"].items():
            assert _differs(weight, ipd.estimators.named(name)(exact)[at]) < TOLERANCE, (i, name)


FIELD = ("ALLC", "ALLD", "TFT", "GTFT", "STFT", "WSLS", "GRIM", "FBF", "ALT", "ATFT", "RANDOM")


def test_strategies_of_one_s_own(opened: Callable[..., Any], plain: dict[str, np.ndarray]):
    """How a strategy fares in the sandbox, how far it is from its goals and which of them it reaches."""
    page, rng = opened("1/sandbox"), np.random.default_rng(6)
    asked = fragments(page, "sandbox", rng, COUNT)
    asked[::2] = [f"{text}&error=0" for text in asked[::2]]  # nobody who trembles reaches a goal
    state, found = shown(page, asked)
    own = np.array([_table(text, plain) for text in state["mine"]])
    field = np.array([plain[name] for name in FIELD])
    tables = np.concatenate([own[:, None], np.tile(field, (COUNT, 1, 1))], 1)
    played = np.asarray(ipd.strategies.tremble(tables, state["error"][:, None]))
    A = ipd.expected_returns(
        _games(state, 2), played[:, :, None], played[:, None], discount=state["discount"][:, None, None]
    )
    assert _differs([one["means"] for one in found], A[..., 0].mean(-1)) < TOLERANCE
    game, mine, discount = _games(state), played[:, 0], state["discount"]
    gap = ipd.replies.best_responses(game, mine, discount=discount).value
    gap = gap - ipd.expected_returns(game, mine, mine, discount=discount)[..., 0]
    assert _differs([one["gap"] for one in found], np.maximum(0, gap)) < TOLERANCE
    ahead = state["T"] - state["S"]
    race = ipd.games.symmetric_game(np.zeros(COUNT), -ahead, ahead, np.zeros(COUNT))
    behind = ipd.replies.best_responses(race, mine, discount=discount).value
    assert _differs([one["behind"] for one in found], behind) < TOLERANCE
    verdicts = (ipd.replies.is_nash, ipd.replies.is_partner, ipd.replies.is_rival)
    wanted = np.stack([is_so(game, mine, discount=discount) for is_so in verdicts], -1)
    np.testing.assert_array_equal([one["is"] for one in found], wanted)
    assert wanted.any(0).all()
    assert not wanted.all(0).any()
