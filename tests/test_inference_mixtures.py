"""Mixtures of named strategies: likelihoods round by round, the best of a dense search, and what was simulated."""

import itertools
import math
from collections.abc import Callable

import numpy as np
import pytest

from ipd_theory import automata, inference, strategies
from ipd_theory.inference import _agreement, mixtures

OTHER = np.array([0.6, 0.7, 0.4, 0.6, 0.5])
NAMES = ("TFT", "ALLD", "GRIM-AUTOMATON", "GTFT(0.3)", "TF2T")


def players_of(
    shares: dict[str, int], tremble: float, matches: int, rounds: int, seed: int
) -> tuple[np.ndarray, list[tuple[str, str]]]:
    """Actions of so many players of each strategy, each in so many matches against strangers, and who plays."""
    actions, names = [], []
    for number, (name, many) in enumerate(shares.items()):
        strategy = automata.named(name)
        if isinstance(strategy, automata.Automaton):
            meant: object = automata.with_errors(strategy, defecting=tremble, cooperating=tremble)
        else:
            meant = np.asarray(strategies.tremble(strategy, tremble))
        played = inference.play_out(meant, OTHER, matches=many * matches, rounds=rounds, seed=seed + number)
        actions.append(played)
        names += [(f"{name} {i // matches}", "strangers") for i in range(many * matches)]
    return np.concatenate(actions), names


def log_of(shares: dict[str, int], tremble: float, matches: int, rounds: int, seed: int) -> inference.Plays:
    actions, names = players_of(shares, tremble, matches, rounds, seed)
    rounds_numbered = np.arange(len(actions) * rounds) % rounds
    return inference.from_frame(
        {
            "match": np.arange(len(actions)).repeat(rounds),
            "round": rounds_numbered,
            "player": np.array([own for own, _ in names]).repeat(rounds),
            "own": actions[..., 0].reshape(-1),
            "other": actions[..., 1].reshape(-1),
        }
    )


def chance_by_hand(name: str, match: np.ndarray, tremble: float) -> float:
    """The chance of the first side's actions, led through the strategy round by round."""
    strategy = automata.named(name)
    machine = strategy if isinstance(strategy, automata.Automaton) else automata.of_table(strategy)
    cooperate, moves = np.asarray(machine.cooperate, float), np.asarray(machine.moves)
    state, chance = int(np.argmax(machine.start)), 1.0
    for own, other in match:
        p = (1 - tremble) * cooperate[state] + tremble * (1 - cooperate[state])
        chance *= 1 - p if own else p
        state = int(np.argmax(moves[state, 2 * own + other]))
    return chance


@pytest.mark.parametrize("segment", [3, 2**10])
def test_likelihoods_are_those_of_plain_python(segment: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_agreement, "SEGMENT", segment)
    rng = np.random.default_rng(1)
    actions = rng.integers(0, 2, (4, 11, 2))
    actions[1, 7:] = -1
    plays = inference.from_actions(actions, [("a", "x"), ("a", "x"), ("b", "x"), ("b", "x")]).of("a", "b")
    meant = mixtures._meant(NAMES)
    seen = _agreement.agreement(plays, meant)
    shares, trembles = np.array([0.1, 0.3, 0.2, 0.15, 0.25]), np.array([0.05, 0.1, 0.2, 0.3, 0.02])
    found = mixtures.joint(seen, shares[None], trembles[None])[0]
    for player, matches in enumerate(([actions[0], actions[1, :7]], [actions[2], actions[3]])):
        for k, name in enumerate(NAMES):
            by_hand = shares[k] * math.prod(chance_by_hand(name, match, trembles[k]) for match in matches)
            assert found[player, k] == pytest.approx(math.log(by_hand))


def test_what_follows_a_gap_is_left_out() -> None:
    actions = np.random.default_rng(2).integers(0, 2, (6, 10, 2))
    with_gap = actions.copy()
    with_gap[:, 5] = -1
    short = inference.from_actions(actions[:, :5]).of("1")
    fits = [inference.fit_mixture(x, NAMES, bootstrap=2) for x in (inference.from_actions(with_gap).of("1"), short)]
    assert fits[0].log_likelihood == pytest.approx(fits[1].log_likelihood)


@pytest.mark.parametrize("shared", [True, False])
def test_the_search_reaches_the_best_of_a_dense_one(shared: bool) -> None:
    plays = log_of({"TFT": 5, "ALLD": 3, "GTFT(0.3)": 4}, 0.1, 1, 6, seed=3)
    names = ("TFT", "ALLD", "GTFT(0.3)")
    fit = inference.fit_mixture(plays, names, shared=shared, bootstrap=2)
    seen = _agreement.agreement(plays, mixtures._meant(names))
    grid = np.linspace(0, 1, 41)
    shares = np.array([(a, b, 1 - a - b) for a in grid for b in grid if a + b <= 1 + 1e-9]).clip(0)
    error = np.linspace(0, 0.5, 41 if shared else 11)
    best = -np.inf
    for trembles in [(e, e, e) for e in error] if shared else itertools.product(error, repeat=3):
        joint = mixtures.joint(seen, shares, np.tile(trembles, (len(shares), 1)))
        best = max(best, float(np.logaddexp.reduce(joint, -1).sum(-1).max()))
    assert best <= fit.log_likelihood + 1e-6
    assert fit.log_likelihood < best + 0.2  # the grid comes close
    again = mixtures.joint(seen, fit.shares[None], fit.trembles[None])
    assert fit.log_likelihood == pytest.approx(float(np.logaddexp.reduce(again, -1).sum()))
    assert (fit.trembles == fit.trembles[0]).all() == shared


def test_a_tremble_of_pure_strategies_is_the_share_of_disagreements() -> None:
    rounds, meant = np.array([[3.0, 17.0], [0.0, 5.0], [9.0, 1.0]]), np.array([0.0, 1.0])
    np.testing.assert_allclose(mixtures.best_tremble(rounds, meant), [0.15, 0, 0.5], atol=1e-12)
    some, values = np.array([4.0, 3.0, 6.0, 30.0]), np.array([0.0, 0.3, 0.7, 1.0])
    grid = np.linspace(1e-6, 0.5, 200_001)
    worth = (some * np.log(values + grid[:, None] * (1 - 2 * values))).sum(-1)
    assert mixtures.best_tremble(some, values) == pytest.approx(grid[worth.argmax()], abs=1e-5)


def test_what_was_simulated_is_found_and_players_are_told_apart() -> None:
    """120 players whose strategy ten rounds in each of five matches show; within 5 standard errors."""
    shares = {"TFT": 60, "ALLD": 36, "GRIM-AUTOMATON": 24}
    plays = log_of(shares, 0.05, 5, 10, seed=4)
    fit = inference.fit_mixture(plays, tuple(shares), bootstrap=100)
    np.testing.assert_allclose(fit.shares, [0.5, 0.3, 0.2], atol=0.02)
    assert abs(fit.trembles[0] - 0.05) < 5 * math.sqrt(0.05 * 0.95 / plays.num_rounds)
    own = [name.rpartition(" ")[0] for name in plays.players]
    right = [fit.names[k] == name for k, name in zip(fit.membership.argmax(-1), own, strict=True)]
    assert np.mean(right) > 0.97
    # Players are so well told apart that shares are means of indicators.
    np.testing.assert_allclose(fit.share_errors, np.sqrt(fit.shares * (1 - fit.shares) / 120), rtol=0.3)
    low, high = fit.share_intervals
    assert ((low < [0.5, 0.3, 0.2]) & (high > [0.5, 0.3, 0.2])).all()
    assert (fit.tremble_intervals[0] <= fit.trembles).all()
    assert fit.aic == pytest.approx(2 * 3 - 2 * fit.log_likelihood)
    assert fit.bic == pytest.approx(3 * math.log(120) - 2 * fit.log_likelihood)


PLAYED, SHARES, TREMBLE = ("TFT", "ALLD", "WSLS"), np.array([0.5, 0.3, 0.2]), 0.08


def covered(number: int, players: int, bootstrap: int, seed: int) -> np.ndarray:
    """How often 95 % intervals hold the three shares and the tremble, in logs of three matches of ten rounds each."""
    tables = np.stack([np.asarray(strategies.tremble(strategies.named(name), TREMBLE)) for name in PLAYED])
    who = np.random.default_rng(seed).choice(3, (number, players), p=SHARES)
    runs = 3 * players
    played = inference.play_out(
        tables[who.reshape(-1)].repeat(3, 0), OTHER, matches=number * runs, rounds=10, seed=seed
    )
    outcomes = (2 * played[..., 0] + played[..., 1]).astype(np.int8).reshape(number, -1)
    match, names = np.arange(runs), tuple(map(str, range(players)))
    held = []
    for i, log in enumerate(outcomes):
        plays = inference.Plays(log, np.full(runs, 10), 0 * match, match, match // 3, names)
        fit = inference.fit_mixture(plays, PLAYED, starts=3, bootstrap=bootstrap, seed=i)
        (low, high), tremble = fit.share_intervals, fit.tremble_intervals[:, 0]
        held.append([*((low <= SHARES) & (high >= SHARES)), tremble[0] <= TREMBLE <= tremble[1]])
    return np.mean(held, 0)


def test_intervals_of_shares_and_trembles_cover_the_truth() -> None:
    """20 logs: at 94 % each, one of the four covers in fewer than 15 in 1 of 280 runs, and the seed is fixed."""
    assert (covered(20, 100, 100, seed=3) >= 0.75).all()


@pytest.mark.slow
def test_coverage_of_a_thousand_mixtures() -> None:
    share = covered(1000, 100, 300, seed=1)
    assert ((share >= 0.93) & (share <= 0.97)).all(), share


def test_strategies_that_nobody_plays_are_taken_out() -> None:
    plays = log_of({"TFT": 20, "ALLD": 20}, 0.05, 4, 12, seed=5)
    for by in ("bic", "aic"):
        fit = inference.choose_mixture(plays, ("WSLS", "TFT", "ALLC", "ALLD", "DAVIS"), by=by, bootstrap=20)
        assert fit.names == ("TFT", "ALLD")
        assert len(fit.drawn_shares) == 20


def test_strategies_that_no_round_tells_apart_are_said() -> None:
    actions = np.zeros((4, 6, 2), int)  # mutual cooperation throughout
    fit = inference.fit_mixture(inference.from_actions(actions), ("TFT", "ALLD", "GRUDGER", "ALLC"), bootstrap=2)
    assert fit.alike == (("TFT", "GRUDGER", "ALLC"),)
    assert fit.shares[1] < 1e-6


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda p: inference.fit_mixture(p, ()), "strategies must be one or more names"),
        (lambda p: inference.fit_mixture(p, ("TFT", "TFT")), "strategies must be named once each"),
        (lambda p: inference.fit_mixture(p, ("NOBODY",)), "strategy 'NOBODY' is not known"),
        (lambda p: inference.fit_mixture(p, {"x": np.ones(4)}), "strategy 'x'"),
        (lambda p: inference.fit_mixture(p, {"x": np.ones((2, 5))}), "strategy 'x' must be one table"),
        (lambda p: inference.fit_mixture(p, ("TFT",), bootstrap=1), "bootstrap must be a whole number, 2 or more"),
        (lambda p: inference.fit_mixture(p, ("TFT",), starts=0), "starts must be a whole number, 1 or more"),
        (lambda p: inference.choose_mixture(p, ("TFT",), by="luck"), "by must be one of 'bic', 'aic'; got 'luck'"),
        (
            lambda p: inference.fit_mixture(
                p, {"blind": automata.with_errors(automata.grudger(), perceiving=0.1)}, bootstrap=2
            ),
            "strategy 'blind' must be one automaton whose start and moves have probability 0 or 1",
        ),
    ],
)
def test_bad_input_is_named(call: Callable[[inference.Plays], object], message: str) -> None:
    plays = inference.from_actions(np.random.default_rng(6).integers(0, 2, (3, 8, 2)))
    with pytest.raises((ValueError, TypeError), match=message):
        call(plays)
