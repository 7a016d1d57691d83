"""What play says of a strategy: exact on point masses, covered by intervals, and plain about what is not defined."""

from collections.abc import Callable

import numpy as np
import pytest

import ipd_theory as ipd
from ipd_theory import automata, inference, replies, strategies, zero_determinant
from ipd_theory.inference import readout

GAME = ipd.games.symmetric_game(R=3, S=0, T=5, P=1)
OTHER = np.array([0.5, 0.7, 0.3, 0.6, 0.5])


def point(table: object) -> np.ndarray:
    """One draw of one table, six times over: one shape, so that all tests share what is compiled."""
    return np.broadcast_to(np.asarray(table, float), (1, 6, 5))


@pytest.mark.parametrize(
    ("names", "discount"), [(("TFT", "ALLD", "WSLS", "gtft(0.3)", "GRIM", "ALLC"), 1.0), (("TF2T", "2TFT"), 0.9)]
)
def test_point_masses_are_read_exactly(names: tuple[str, ...], discount: float) -> None:
    table = np.stack([np.asarray(strategies.named(name, game=GAME, discount=discount), float) for name in names])
    against = {"x": OTHER, "machine": automata.of_table(OTHER)}
    found = inference.read_out(GAME, table[None], discount=discount, against=against, margin=0, closeness=0)
    for name, (own, other, *_) in (found.against | {"itself": found.itself}).items():
        if name == "machine":
            wanted = automata.expected_returns(
                GAME, automata.of_table(table), automata.of_table(OTHER), discount=discount
            )
        else:
            wanted = ipd.expected_returns(GAME, table, table if name == "itself" else OTHER, discount=discount)
        for read in ("median", "low", "high"):
            np.testing.assert_allclose(np.stack([getattr(own, read), getattr(other, read)], -1), wanted, atol=1e-12)
    best = replies.best_responses(GAME, table, discount=discount)
    for spread in (found.best_reply_earns, found.exploiter_earns):
        np.testing.assert_allclose(spread.median, best.value, atol=1e-12)
    np.testing.assert_array_equal(found.optimal, np.asarray(best.optimal, float))
    np.testing.assert_array_equal(found.exploiter, best.strategy)
    np.testing.assert_allclose(found.gap.median, replies.gap(GAME, table, table, discount=discount), atol=1e-12)
    np.testing.assert_array_equal(found.nash, replies.is_nash(GAME, table, discount=discount))
    np.testing.assert_array_equal(found.partner, replies.is_partner(GAME, table, discount=discount))
    np.testing.assert_array_equal(found.rival, replies.is_rival(GAME, table, discount=discount))
    assert (found.line is None) == (found.extortion is None) == (table.shape[-1] > 5)
    if found.line is not None:
        near = zero_determinant.relation(GAME, table, discount)
        np.testing.assert_allclose(found.line.slope.median, near.slope)
        np.testing.assert_allclose(found.line.baseline.median, near.baseline)
        np.testing.assert_allclose(found.line.distance.median, np.sqrt(near.residual), atol=1e-9)


def test_rates_of_cooperation_are_those_of_the_engine() -> None:
    table = np.array([0.9, 0.8, 0.3, 0.6, 0.1])
    found = inference.read_out(GAME, point(table), against={"x": OTHER}).against["x"]
    time = np.asarray(ipd.state_occupancy(table, OTHER, discount=1.0))
    np.testing.assert_allclose(found.own_cooperation.median, time[0] + time[1])
    np.testing.assert_allclose(found.other_cooperation.median, time[0] + time[2])


def test_who_extorts_is_said_with_its_factor(rng: np.random.Generator) -> None:
    names = ("extort(3)", "extort(5)", "TFT", "gtft(0.3)", "ALLD", "WSLS")
    tables = np.stack([np.asarray(strategies.named(name, game=GAME), float) for name in names])
    found = inference.read_out(GAME, tables[None], closeness=0)
    np.testing.assert_array_equal(found.extortion.probability, [1, 1, 0, 0, 0, 0])
    np.testing.assert_allclose(found.extortion.chi.median, [3, 5, *[np.nan] * 4])
    np.testing.assert_array_equal(found.extortion.chi.defined, found.extortion.probability)
    # Of six draws two extort, and their factors alone are counted; a draw is read as a player is.
    drawn = inference.read_out(GAME, tables, level=0.9, closeness=0)
    assert drawn.extortion.probability == pytest.approx(1 / 3)
    np.testing.assert_allclose([drawn.extortion.chi.low, drawn.extortion.chi.high], [3, 5])
    np.testing.assert_allclose(drawn.gap.draws, found.gap.draws[0], atol=1e-12)
    np.testing.assert_allclose(drawn.line.slope.draws, found.line.slope.draws[0])
    np.testing.assert_array_equal(drawn.optimal, found.optimal.mean(0))
    near = np.clip(tables + 0.004, 0, 1)
    assert inference.read_out(GAME, near[None], closeness=0.01).extortion.probability[0] == 1
    assert inference.read_out(GAME, near[None], closeness=0.001).extortion.probability[0] == 0


def test_games_that_are_no_dilemma_and_shorter_memories_are_read() -> None:
    stag_hunt = ipd.games.symmetric_game(R=5, S=0, T=3, P=1)
    assert inference.read_out(stag_hunt, point(OTHER)).extortion is None
    constant = inference.read_out(GAME, np.full((1, 1), 0.25))
    always = zero_determinant.relation(GAME, np.full(5, 0.25))
    assert float(constant.line.distance.median) == pytest.approx(float(always.residual) ** 0.5)


def test_words_hold_within_margin_and_closeness() -> None:
    """Forgiving tit for tat with a slip in a hundred gains its copy less than the margin, and is nearly nice."""
    table = np.array([0.99, 0.99, 0.3, 0.99, 0.3])
    gap = float(replies.gap(GAME, table, table, discount=1.0))
    assert gap > 0
    for margin, holds in ((0.9 * gap, 0), (1.1 * gap, 1)):
        found = inference.read_out(GAME, point(table), margin=margin, closeness=0.02)
        assert (found.nash[0], found.partner[0]) == (holds, holds)
    assert inference.read_out(GAME, point(table), margin=1.1 * gap, closeness=0.005).partner[0] == 0
    ahead = float(found.lead.median[0])
    assert ahead > 0
    for margin, holds in ((0.9 * ahead, 0), (1.1 * ahead, 1)):
        assert inference.read_out(GAME, point(table), margin=margin).rival[0] == holds
    assert inference.read_out(GAME, point(table)).margin == 0.25  # a twentieth of 5 − 0


def test_what_is_not_defined_is_counted_out() -> None:
    draws = np.array([[1.0, np.nan], [2.0, np.nan], [np.inf, np.nan], [np.nan, np.nan], [0.0, np.nan]])
    found = readout.spread(draws, 0.9)
    np.testing.assert_array_equal([found.low[0], found.high[0]], [0, np.inf])
    assert found.median[0] in (1, 2)
    np.testing.assert_array_equal(found.defined, [0.8, 0])
    assert np.isnan([found.median[1], found.low[1], found.high[1]]).all()
    # One's own last action, repeated, enforces nothing: no line is nearest.
    repeats = inference.read_out(GAME, point([1.0, 1, 1, 0, 0]))
    assert (repeats.line.slope.defined == 0).all()


@pytest.mark.slow
def test_intervals_hold_what_is_true() -> None:
    """1,000 logs, tables drawn from the prior: 90 % hold what is earned and enforced, within 4 standard errors."""
    many = 1000
    truth = np.random.default_rng(31).uniform(size=(many, 5))
    played = inference.play_out(truth.repeat(8, 0), OTHER, matches=8 * many, rounds=25, seed=31)
    outcomes = (2 * played[..., 0] + played[..., 1]).astype(np.int8).reshape(-1)
    lengths, match = np.full(8 * many, 25), np.arange(8 * many)
    players = tuple(map(str, range(many)))
    plays = inference.Plays(outcomes, lengths, 0 * match, match, match // 8, players)
    drawn = inference.posterior_tables(inference.fit_table(plays, by_player=True), 400, seed=1)
    found = inference.read_out(GAME, drawn, discount=0.9, against={"x": OTHER}, level=0.9)
    exact = inference.read_out(GAME, truth[None], discount=0.9, against={"x": OTHER})
    pairs = {
        "slope": (found.line.slope, exact.line.slope),
        "distance": (found.line.distance, exact.line.distance),
        "best reply": (found.best_reply_earns, exact.best_reply_earns),
        "against": (found.against["x"].own, exact.against["x"].own),
        "rate": (found.itself.own_cooperation, exact.itself.own_cooperation),
    }
    held = {k: np.mean((s.low <= true.median) & (true.median <= s.high)) for k, (s, true) in pairs.items()}
    assert all(abs(share - 0.9) < 4 * (0.09 / many) ** 0.5 for share in held.values()), held


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda t: inference.read_out(GAME, t[0]), r"tables must have the shape \[draws, ..., h\]"),
        (lambda t: inference.read_out(GAME, t * 2), "tables holds 2"),
        (lambda t: inference.read_out(GAME, t[:, :4]), "tables"),
        (lambda t: inference.read_out(GAME, t, discount=0), "discount must be one finite number above 0"),
        (lambda t: inference.read_out(GAME, t, margin=-1), "margin must be one finite number"),
        (lambda t: inference.read_out(GAME, t, closeness=-1), "closeness must be one finite number"),
        (lambda t: inference.read_out(GAME, t, level=1), "level must be one finite number above 0 and below 1"),
        (lambda t: inference.read_out(GAME, t, against={"x": t}), "against 'x' must be one table"),
        (lambda t: inference.read_out(GAME, t, against={"x": t[0] * 2}), "against 'x' holds 2"),
    ],
)
def test_bad_input_is_named(call: Callable[[np.ndarray], object], message: str) -> None:
    with pytest.raises((ValueError, TypeError), match=message):
        call(np.ones((3, 5)))
