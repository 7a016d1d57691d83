"""Strategies to and from the Axelrod library, and tournaments of its players.

A player of the library is a program. What it plays after a course of play is found by asking: both histories are played
to it, its own actions too, as the library's noise would change them, and the probability with which it then draws its
action is read from the draw. So a player that remembers three rounds or fewer becomes a table, and one that the library
writes as a machine becomes an automaton; some others are known to be small automata. All of them are then asked about
histories at random, and refused if one answer is another. The rest can only be sampled.
"""

import difflib
import itertools
import re
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float

from ipd_theory import _checks, automata, strategies, tournaments
from ipd_theory._arguments import checked
from ipd_theory._extras import needs
from ipd_theory.automata import Automaton
from ipd_theory.games import MatrixGame, axelrod, is_symmetric

with needs("peers"):
    import axelrod as axl

C, D = axl.Action.C, axl.Action.D
ASKED, LONGEST = 60, 30  # histories at random, and their rounds


class NotExactError(ValueError):
    """A player is neither a table nor a known small automaton."""


class _Draws:
    """What a player draws its action from: notes the probability of C, and gives the action it is told to."""

    def __init__(self, action: Any) -> None:
        self.action = action
        self.probabilities: list[float] = []

    def random_choice(self, p: Any = 0.5) -> Any:  # the library passes whole numbers, too
        if p in (0, 1):
            return C if p else D
        self.probabilities.append(float(p))
        return self.action

    def __getattr__(self, name: str) -> Any:
        raise NotExactError(f"player draws by {name}, which cannot be read")


def cooperation(player: Any, own: str, other: str) -> float:
    """Return the probability with which a player of the library cooperates after both players' actions, `CCD` say.

    Raises:
        NotExactError: if it draws in a way that cannot be read.
    """
    answers = {}
    for action in (C, D):
        asked, opponent = player.clone(), axl.MockPlayer()
        asked.set_seed(0)
        for mine, theirs in zip(own, other, strict=True):
            asked.strategy(opponent)
            asked.update_history(axl.Action.from_char(mine), axl.Action.from_char(theirs))
            opponent.update_history(axl.Action.from_char(theirs), axl.Action.from_char(mine))
        asked._random = draws = _Draws(action)
        answers[action] = asked.strategy(opponent)
    if not draws.probabilities:
        return float(answers[C] == C)
    if len(draws.probabilities) > 1 or (answers[C], answers[D]) != (C, D):
        raise NotExactError(f"player {player} makes more of a draw than an action")
    return draws.probabilities[0]


KNOWN: dict[str, Callable[[Any], Automaton]] = {
    "First by Davis": lambda player: automata.davis(player.init_kwargs["rounds_to_cooperate"]),
    "Grudger": lambda player: automata.grudger(),
    "Hard Prober": lambda player: automata.hard_prober(),
    "Prober": lambda player: automata.prober(),
    "Prober 2": lambda player: automata.prober_2(),
    "Prober 3": lambda player: automata.prober_3(),
}


def from_axelrod(player: Any) -> Array | Automaton:
    """Return a player of the library, whose settings count, as a table [h] or an automaton that plays the same.

    Raises:
        NotExactError: if it is neither a table of memory 0 to 3 nor a known automaton.
    """
    if not isinstance(player, axl.Player):
        raise TypeError(f"player must be a player of the Axelrod library; got {player!r}")
    memory = axl.Classifiers["memory_depth"](player)
    if isinstance(player, axl.FSMPlayer):
        found: Array | Automaton = _of_machine(player)
    elif player.name in KNOWN:
        found = KNOWN[player.name](player)
    elif memory <= strategies.MAX_MEMORY:
        found = _of_answers(player, int(memory))
    else:
        raise NotExactError(f"player {player} remembers {memory} rounds; tables remember {strategies.MAX_MEMORY}")
    _hold(player, found)
    return found


@checked
def named(name: str) -> Any:
    """Return a new player of the class of the library that a text names, `TitForTat` say, with its usual settings.

    Raises:
        ValueError: if there is no such class.
    """
    classes = {kind.__name__.lower(): kind for kind in axl.strategies}
    kind = classes.get(re.sub(r"[-_\s]", "", name).lower())
    if kind is None:
        close = difflib.get_close_matches(name.lower(), classes, 3)
        raise ValueError(
            f"name {name!r} is no player of the Axelrod library; close to it: {', '.join(close) or 'none'}"
        )
    return kind()


def _of_answers(player: Any, memory: int) -> Array:
    histories = [[] if c == "start" else c.split("·") for c in strategies.contexts(memory)]
    return jnp.asarray([cooperation(player, *("".join(o[i] for o in h) for i in (0, 1))) for h in histories])


def _of_machine(player: Any) -> Automaton:
    """Its action goes with a move there, with the state that it leads to here."""
    begun = player.initial_state, player.initial_action
    moves = player.fsm.state_transitions
    states = [begun, *sorted({state for state in moves.values() if state != begun}, key=str)]
    after = [[states.index(moves[state, action]) for action in (C, D, C, D)] for state, _ in states]
    meant = jnp.asarray([float(action == C) for _, action in states])
    return Automaton(meant, jnp.eye(len(states))[np.array(after)])


def _hold(player: Any, found: Array | Automaton) -> None:
    """Raise `NotExactError` where a player's answers to histories at random are not those of what it is taken for."""
    machine = found if isinstance(found, Automaton) else automata.of_table(found)
    cooperate, moves, start = (np.asarray(x) for x in (machine.cooperate, machine.moves, machine.start))
    rng = np.random.default_rng(0)
    for length in rng.integers(1, LONGEST + 1, ASKED):
        own, other = rng.integers(0, 2, (2, length)) * (rng.random((2, 1)) < 0.8)  # some never defect
        state = start
        for mine, theirs in zip(own, other, strict=True):
            state = state @ moves[:, 2 * mine + theirs]
        asked = cooperation(player, *("".join("CD"[a] for a in actions) for actions in (own, other)))
        if abs(asked - state @ cooperate) > 1e-12:
            raise NotExactError(f"player {player} does not play as its last rounds, or its name, say")


class StrategyPlayer(axl.Player):  # type: ignore[misc]  # of a package without types
    """One of our strategies as a player of the library, drawn by its own generator.

    Args:
        strategy: a table [h] or an automaton.
        name: that the library shows.
    """

    name = "ipd_theory"
    classifier = {  # noqa: RUF012  (the library's own form)
        "memory_depth": float("inf"),
        "stochastic": True,
        "long_run_time": False,
        "inspects_source": False,
        "manipulates_source": False,
        "manipulates_state": False,
    }

    def __init__(self, strategy: ArrayLike | Automaton, name: str = "ipd_theory") -> None:
        super().__init__()
        self.name = name
        machine = strategy if isinstance(strategy, Automaton) else automata.of_table(strategy)
        self.parts = tuple(np.asarray(x, float).tolist() for x in (machine.cooperate, machine.moves, machine.start))
        self.state = -1

    def strategy(self, opponent: Any) -> Any:
        """Return its next action, having moved to the next state."""
        cooperate, moves, start = self.parts
        if not self.history:
            chances = start
        else:
            mine, theirs = (int(h[-1] == D) for h in (self.history, opponent.history))
            chances = moves[self.state][2 * mine + theirs]
        left = 1.0 if 1.0 in chances else float(self._random.random())
        for self.state, chance in enumerate(chances):
            left -= chance
            if left < 0 or chance == 1.0:
                break
        return self._random.random_choice(cooperate[self.state])


class Matches(NamedTuple):
    """A tournament with the library's players: mean payoffs a turn [n, n], row against column, and how they were found.

    Args:
        payoffs: [n, n].
        errors: [n, n] standard errors, 0 where exact.
        exact: [n, n] whether both players were tables or automata; all others were sampled.
    """

    payoffs: Float[np.ndarray, "n n"]
    errors: Float[np.ndarray, "n n"]
    exact: np.ndarray


@checked
def round_robin(
    players: Sequence[Any],
    *,
    turns: int,
    game: MatrixGame | None = None,
    noise: float = 0.0,
    repetitions: int = 100,
    seed: int = 0,
    progress: Callable[[float], Any] | None = None,
) -> Matches:
    """Let players meet: exactly where both can be written as strategies, by matches of the library where not.

    Args:
        players: of the library, and our strategies, tables [h] and automata.
        turns: of each match.
        game: that they play, the same from both sides; Axelrod's if not given.
        noise: probability that an action is flipped.
        repetitions: of a match that is sampled, 2 or more.
        seed: of the first of them.
        progress: called with the share of matches that have been sampled.

    Raises:
        ValueError: if numbers are out of range, or the game differs from its two sides.
        TypeError: if something is no player and no strategy.
    """
    if isinstance(players, str) or not np.iterable(players):
        raise TypeError(f"players must be a list of players of the Axelrod library and strategies; got {players!r}")
    for name, number, least in (("turns", turns, 1), ("repetitions", repetitions, 2), ("seed", seed, 0)):
        _checks.whole(name, number, least)
    _checks.probabilities("noise", noise)
    stage = axelrod() if game is None else game
    theirs = to_axelrod(stage)
    found = [_written(f"players[{i}]", player) for i, player in enumerate(players)]
    n, known = len(found), [i for i, x in enumerate(found) if x is not None]
    exact = np.zeros((n, n), bool)
    exact[np.ix_(known, known)] = True
    payoffs, errors = np.zeros((n, n)), np.zeros((n, n))
    if known:
        table = tournaments.round_robin(stage, [found[i] for i in known], horizon=turns, error=noise)
        payoffs[np.ix_(known, known)] = table
    drawn = [pair for pair in itertools.combinations_with_replacement(range(n), 2) if not exact[pair]]
    for done, (i, j) in enumerate(drawn, 1):
        pair = [x if isinstance(x, axl.Player) else StrategyPlayer(x) for x in (players[i], players[j])]
        scores = sampled(pair, turns, noise, repetitions, seed, theirs)
        means, spread = scores.mean(0), scores.std(0, ddof=1) / np.sqrt(repetitions)
        (payoffs[i, j], payoffs[j, i]), (errors[i, j], errors[j, i]) = means, spread
        if i == j:
            payoffs[i, i], errors[i, i] = means.mean(), scores.mean(1).std(ddof=1) / np.sqrt(repetitions)
        if progress is not None:
            progress(done / len(drawn))
    return Matches(payoffs, errors, exact)


def _written(name: str, player: Any) -> Array | Automaton | None:
    """Return a player as a strategy, None if it has to be sampled."""
    if isinstance(player, Automaton):
        return player
    if not isinstance(player, axl.Player):
        return _checks.probabilities(name, player)
    try:
        return from_axelrod(player)
    except NotExactError:
        return None


def sampled(
    pair: Sequence[Any], turns: int, noise: float, repetitions: int, seed: int, game: Any = None
) -> Float[np.ndarray, "repetitions 2"]:
    """Return both players' payoffs a turn in matches of the library with seeds from one on."""
    scores = []
    for number in range(seed, seed + repetitions):
        match = axl.Match([player.clone() for player in pair], turns=turns, noise=noise, seed=number, game=game)
        match.play()
        scores.append(match.final_score_per_turn())
    return np.array(scores, float)


@checked
def to_axelrod(game: MatrixGame) -> Any:
    """Return a symmetric game, no batch, as the library's.

    Raises:
        ValueError: if it is not the same from both sides, a batch, or not for two.
    """
    _checks.two_players(game, batch=False)
    if not is_symmetric(game):
        raise ValueError(f"game must be the same from both sides; got {game}")
    R, S, T, P = (float(x) for x in game.outcome_payoffs[0])
    return axl.Game(r=R, s=S, t=T, p=P)
