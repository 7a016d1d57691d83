r"""Mixtures of strategies with names: which part of the players plays which, and how often the hand trembles.

Each player k plays one strategy in all matches, strategy s with probability φ_s, the share of its players, and does the
opposite of what it means with probability ε, the tremble, at most ½. With n_m rounds in which s meant what was done
with probability m,

    P(play of k) = Σ_s φ_s Π_m (m + ε (1 − 2m))^n_m

(Dal Bó & Fréchette 2011, whose strategies are pure and whose β is 1 − ε). Its maximum is sought by expectation and
maximization from several starts. Given how likely each player is of each strategy, the best shares are means, and what
the best tremble maximizes is concave. Standard errors and intervals are those of fits to players drawn anew with
replacement. They say nothing of a strategy whose share is 0, which no draw of the same players brings back.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import ArrayLike, Float
from scipy import special

from ipd_theory import _checks, automata, strategies
from ipd_theory._arguments import checked
from ipd_theory.automata import Automaton
from ipd_theory.inference._agreement import Agreement, agreement, is_sure, whole_matches
from ipd_theory.inference.plays import Plays

AT_ONCE = 2**20  # numbers that are worked on at a time
GAIN = 1e-9  # of the log-likelihood in a step, below which the search ends
STEPS = 20_000
HALVINGS = 56
Strategies = Sequence[str] | Mapping[str, ArrayLike | Automaton]


class MixtureFit(NamedTuple):
    """Shares of strategies and trembles as they were read from play.

    Args:
        names: of the K strategies.
        shares: [K] the part of the players that plays each.
        trembles: [K] with which probability each does the opposite of what it means; all alike if they are shared.
        shared: whether all have one tremble.
        log_likelihood: of the play.
        membership: [players, K] the probability that a player plays each.
        drawn_shares: [bootstrap, K] of the fits to players drawn anew.
        drawn_trembles: [bootstrap, K] theirs.
        level: probability that the intervals hold.
        alike: groups of strategies between which no round decides; only the sum of their shares means something.
    """

    names: tuple[str, ...]
    shares: Float[np.ndarray, " K"]
    trembles: Float[np.ndarray, " K"]
    shared: bool
    log_likelihood: float
    membership: Float[np.ndarray, "players K"]
    drawn_shares: Float[np.ndarray, "bootstrap K"]
    drawn_trembles: Float[np.ndarray, "bootstrap K"]
    level: float
    alike: tuple[tuple[str, ...], ...]

    @property
    def num_parameters(self) -> int:
        """How many numbers were fitted: all shares but one, and the trembles."""
        return len(self.names) - 1 + (1 if self.shared else len(self.names))

    @property
    def aic(self) -> float:
        """Akaike's criterion, −2 log L + 2 × parameters; the least is best."""
        return 2 * self.num_parameters - 2 * self.log_likelihood

    @property
    def bic(self) -> float:
        """Schwarz's criterion, −2 log L + log(players) × parameters; the least is best."""
        return float(np.log(len(self.membership))) * self.num_parameters - 2 * self.log_likelihood

    @property
    def share_errors(self) -> Float[np.ndarray, " K"]:
        """The standard errors of the shares."""
        return self.drawn_shares.std(0, ddof=1)

    @property
    def tremble_errors(self) -> Float[np.ndarray, " K"]:
        """The standard errors of the trembles."""
        return self.drawn_trembles.std(0, ddof=1)

    @property
    def share_intervals(self) -> Float[np.ndarray, "2 K"]:
        """Ends of the intervals of the shares, quantiles of the fits to players drawn anew."""
        return self._quantiles(self.drawn_shares)

    @property
    def tremble_intervals(self) -> Float[np.ndarray, "2 K"]:
        """Ends of the intervals of the trembles."""
        return self._quantiles(self.drawn_trembles)

    def _quantiles(self, drawn: np.ndarray) -> np.ndarray:
        outside = (1 - self.level) / 2
        return np.quantile(drawn, [outside, 1 - outside], axis=0)


@checked
def fit_mixture(
    plays: Plays,
    strategies: Strategies,
    *,
    shared: bool = True,
    starts: int = 10,
    bootstrap: int = 200,
    level: float = 0.95,
    seed: int = 0,
    progress: Callable[[float], None] | None = None,
) -> MixtureFit:
    """Return which part of the players plays which strategy, and how often they tremble.

    Rounds that follow a gap are left out: nobody knows there what state an automaton is in.

    Args:
        plays: the log.
        strategies: names that `automata.named` knows, or tables and automata by name; moves must not be left to chance.
        shared: one tremble for all, instead of one for each strategy.
        starts: of the search, of which the best is returned.
        bootstrap: how often players are drawn anew, 2 or more.
        level: probability that the intervals hold, between 0 and 1.
        seed: of the starts and draws.
        progress: called with the share of the draws that is done.

    Raises:
        ValueError: if a number is out of range, a strategy is unknown, there twice or moves at random, or no match's
            first round is recorded.
    """
    _held(starts, bootstrap, level, seed)
    meant = _meant(strategies)
    seen = agreement(whole_matches(plays), meant)
    return _fitted(tuple(meant), seen, shared, starts, bootstrap, level, seed, progress)


@checked
def choose_mixture(
    plays: Plays,
    strategies: Strategies,
    *,
    by: str = "bic",
    shared: bool = True,
    starts: int = 10,
    bootstrap: int = 200,
    level: float = 0.95,
    seed: int = 0,
    progress: Callable[[float], None] | None = None,
) -> MixtureFit:
    """Return the mixture that is left when strategies are taken out one by one, as long as the criterion falls.

    Args:
        plays: the log.
        strategies: as for `fit_mixture`; those to begin with.
        by: `bic` or `aic`.
        shared, starts, bootstrap, level, seed, progress: as for `fit_mixture`.

    Raises:
        ValueError: as for `fit_mixture`, or if `by` is something else.
    """
    _held(starts, bootstrap, level, seed)
    _checks.one_of("by", by, ("bic", "aic"))
    meant = _meant(strategies)
    seen, names = agreement(whole_matches(plays), meant), tuple(meant)

    def fitted(kept: list[int], draws: int = 0) -> MixtureFit:
        part = Agreement(seen.meant, seen.rounds[:, kept])
        told = progress if draws else None
        return _fitted(tuple(names[k] for k in kept), part, shared, starts, draws, level, seed, told)

    kept = list(range(len(names)))
    best = getattr(fitted(kept), by)
    while len(kept) > 1:
        tries = [[k for k in kept if k != out] for out in kept]
        values = [getattr(fitted(few), by) for few in tries]
        if min(values) > best:
            break
        best, kept = min(values), tries[int(np.argmin(values))]
    return fitted(kept, bootstrap)


def _held(starts: int, bootstrap: int, level: float, seed: int) -> None:
    _checks.whole("starts", starts, 1)
    _checks.whole("bootstrap", bootstrap, 2)
    _checks.number("level", level, 0, 1, open_low=True, open_high=True)
    _checks.whole("seed", seed, 0, 2**32 - 1)


def _meant(given: Strategies) -> dict[str, np.ndarray | Automaton]:
    """Return tables and automata by name, each of which moves without chance."""
    if isinstance(given, str) or not isinstance(given, Sequence | Mapping) or not given:
        raise ValueError(f"strategies must be one or more names, or tables and automata by name; got {given!r}")
    if not isinstance(given, Mapping) and len(set(given)) < len(given):
        raise ValueError(f"strategies must be named once each; got {tuple(given)}")
    by_name = given if isinstance(given, Mapping) else {name: automata.named(name) for name in given}
    held: dict[str, np.ndarray | Automaton] = {}
    for name, strategy in by_name.items():
        if not isinstance(strategy, Automaton):
            table = np.asarray(_checks.probabilities(f"strategy {name!r}", strategy), float)
            if table.ndim != 1:
                raise ValueError(f"strategy {name!r} must be one table [h]; got the shape {table.shape}")
            strategies.memory_of(table, name=f"strategy {name!r}")
            held[name] = table
        elif strategy.cooperate.ndim != 1 or not is_sure(strategy):
            raise ValueError(f"strategy {name!r} must be one automaton whose start and moves have probability 0 or 1")
        else:
            held[name] = strategy
    return held


def _fitted(
    names: tuple[str, ...],
    seen: Agreement,
    shared: bool,
    starts: int,
    bootstrap: int,
    level: float,
    seed: int,
    progress: Callable[[float], None] | None,
) -> MixtureFit:
    rng, (players, many, _) = np.random.default_rng(seed), seen.rounds.shape
    shares = np.concatenate([np.full((1, many), 1 / many), rng.dirichlet(np.ones(many), starts - 1)])
    trembles = np.concatenate([[0.1], rng.uniform(0, 0.5, starts - 1)])[:, None].repeat(many, 1)
    found = climb(seen, np.ones((starts, players)), shares, trembles, shared)
    best = int(np.argmax(found.log_likelihood))
    shares, trembles = found.shares[best], found.trembles[best]
    parts = []
    size = max(1, AT_ONCE // (players * many))
    for begin in range(0, bootstrap, size):
        number = min(size, bootstrap - begin)
        weights = rng.multinomial(players, np.full(players, 1 / players), number).astype(float)
        # A share of nought would stay so: every draw begins a little inside.
        inside = (0.99 * shares + 0.01 / many)[None].repeat(number, 0)
        parts.append(climb(seen, weights, inside, trembles[None].repeat(number, 0), shared))
        if progress is not None:
            progress((begin + number) / bootstrap)
    return MixtureFit(
        names,
        shares,
        trembles,
        shared,
        float(found.log_likelihood[best]),
        special.softmax(joint(seen, shares[None], trembles[None])[0], -1),
        np.concatenate([x.shares for x in parts]) if parts else np.zeros((0, many)),
        np.concatenate([x.trembles for x in parts]) if parts else np.zeros((0, many)),
        level,
        _alike(names, seen),
    )


class Climbed(NamedTuple):
    """Where searches ended: shares [B, K], trembles [B, K], log-likelihoods [B]."""

    shares: np.ndarray
    trembles: np.ndarray
    log_likelihood: np.ndarray


def joint(seen: Agreement, shares: np.ndarray, trembles: np.ndarray) -> np.ndarray:
    """Return log φ_s P(play of k | s) [B, players, K] under shares and trembles [B, K]."""
    chance = seen.meant + trembles[..., None] * (1 - 2 * seen.meant)  # [B, K, u]
    tiny = np.finfo(float).tiny
    played = np.einsum("pku,bku->bpk", seen.rounds, np.log(np.maximum(chance, tiny)))
    return np.asarray(played + np.log(np.maximum(shares, tiny))[:, None])


def climb(seen: Agreement, weights: np.ndarray, shares: np.ndarray, trembles: np.ndarray, shared: bool) -> Climbed:
    """Return where expectation and maximization lead from shares and trembles [B, K], players weighted [B, players]."""
    before = np.full(len(shares), -np.inf)
    for _ in range(STEPS):
        together = joint(seen, shares, trembles)
        of_player = special.logsumexp(together, axis=-1)
        now = (weights * of_player).sum(-1)
        if (now - before <= GAIN * np.maximum(1, np.abs(now) / 1000)).all():
            break
        before = now
        belongs = weights[..., None] * np.exp(together - of_player[..., None])  # [B, players, K]
        shares = belongs.sum(1) / weights.sum(-1, keepdims=True)
        rounds = np.einsum("bpk,pku->bku", belongs, seen.rounds)
        together_or_each = rounds.sum(1, keepdims=True) if shared else rounds
        trembles = np.broadcast_to(best_tremble(together_or_each, seen.meant), shares.shape)
    return Climbed(shares, trembles, now)


def best_tremble(rounds: np.ndarray, meant: np.ndarray) -> np.ndarray:
    """Return the ε in [0, ½] that maximizes Σ n log(m + ε (1 − 2m)), given rounds n [..., u]: where the slope is 0."""
    low, high = np.zeros(rounds.shape[:-1]), np.full(rounds.shape[:-1], 0.5)
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        slope = (rounds * (1 - 2 * meant) / (meant + middle[..., None] * (1 - 2 * meant))).sum(-1)
        low, high = np.where(slope > 0, middle, low), np.where(slope > 0, high, middle)
    return low


def _alike(names: tuple[str, ...], seen: Agreement) -> tuple[tuple[str, ...], ...]:
    """Return groups of strategies that meant the same in all rounds."""
    groups: dict[bytes, list[str]] = {}
    for name, rounds in zip(names, np.moveaxis(seen.rounds, 1, 0), strict=True):
        groups.setdefault(rounds.tobytes(), []).append(name)
    return tuple(tuple(group) for group in groups.values() if len(group) > 1)
