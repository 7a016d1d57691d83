"""Every strategy against every strategy, itself included, without playing a single round.

Pairs that need the same work are solved in one batch: memory-one tables by the closed form of their four states; two
longer tables by the chain over the histories that the longer one remembers; and pairs with an automaton by the chain
over pairs of states. An automaton is first reduced to as few states as behave the same, as is a longer table (a pure
one has a handful), then filled up to one of a few sizes.
"""

import functools
import itertools
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float

from ipd_theory import _checks, alternating, automata, strategies
from ipd_theory._arguments import checked
from ipd_theory.automata import Automaton
from ipd_theory.automata.minimal import minimal, padded
from ipd_theory.games import MatrixGame, is_symmetric
from ipd_theory.returns import expected_returns

MOST_PAIRS = 1 << 20  # of memory one at once; the memory that a block takes stays in the hundreds of megabytes
MOST_NUMBERS = 1 << 25  # in the chains of a block
SIZES = (5, 8, 12, 24, 85, 341)  # to which automata are filled up, so that few programs are compiled
FEW_STATES = 5  # a table of memory three that is an automaton of so many is solved as one; shorter ones as tables


@checked
def round_robin(
    game: MatrixGame,
    tables: Sequence[Any] | Float[np.ndarray, "n _"] | Float[Array, "n _"],
    *,
    discount: ArrayLike | None = None,
    horizon: int | None = None,
    error: float = 0.0,
    misperception: float = 0.0,
    in_turn: bool = False,
) -> Float[Array, "n n"]:
    """Return what each strategy earns, a step, as player 1 against each other one.

    Args:
        game: the stage game for two.
        tables: [n, h] strategies, or n of them, tables with memories of 0 to 3 and automata.
        discount: γ in [0, 1]; 1 is the limit of means from the given start.
        horizon: if given, play ends after this many steps.
        error: the probability with which any intended action is flipped; both players see what was done.
        misperception: the probability with which a player takes the other's action for the opposite, unknown to it.
        in_turn: whether players move in turn (see `alternating`), γ then from move to move; each moves first, once both
            have opened, in half of the matches.

    Raises:
        ValueError: if there are no strategies, one is no table of probabilities, γ, errors or horizon are out of
            range, or players move in turn in a finite game.
    """
    if isinstance(tables, str | Automaton) or not np.iterable(tables):
        raise TypeError(f"tables must be an array [n, h] or a list of strategies; got {tables!r}")
    given = [_given(f"tables[{i}]", table) for i, table in enumerate(tables)]
    if not given:
        raise ValueError("tables is empty; a tournament needs one strategy or more")
    for name, chance in (("error", error), ("misperception", misperception)):
        _checks.probabilities(name, chance)
    if in_turn and (horizon is not None or discount is None):
        raise ValueError(f"horizon must be None, and discount given, where players move in turn; got {horizon}")
    kinds: tuple[Callable[..., Array], ...] = (expected_returns, automata.expected_returns)
    settings: dict[str, Any] = {"discount": discount, "horizon": horizon}
    if in_turn:
        moving = (alternating.expected_returns, alternating.automata_returns)
        kinds, settings = tuple(functools.partial(_in_turn, returns) for returns in moving), {"discount": discount}
    rules = _Rules(game, *(functools.partial(returns, **settings) for returns in kinds))
    entered = [_entrant(x, error, misperception, 1 if in_turn else strategies.MAX_MEMORY) for x in given]
    return jnp.asarray(_all_pairs(rules, entered))


class _Rules(NamedTuple):
    """The game, and what gives both players' returns of a batch of pairs [..., 2], from it and from both sides."""

    game: MatrixGame
    of_tables: Callable[..., Array]
    of_automata: Callable[..., Array]


def _in_turn(returns: Callable[..., Array], game: MatrixGame, first: Any, second: Any, *, discount: ArrayLike) -> Array:
    """Return the mean over who moves first once both have opened."""
    both = [returns(game, first, second, discount=discount, next_mover=i) for i in (0, 1)]
    return (both[0] + both[1]) / 2


def _given(name: str, strategy: Any) -> Array | Automaton:
    if isinstance(strategy, Automaton):
        if strategy.cooperate.ndim > 1:
            raise ValueError(f"{name} must be one automaton, no batch; got the shape {strategy.cooperate.shape}")
        return strategy
    table = _checks.in_range(name, _checks.to_float(strategy), 0.0, 1.0)
    strategies.memory_of(table, name=name)
    return table


def _all_of_memory_one(rules: _Rules, every: Array) -> np.ndarray:
    block = max(1, MOST_PAIRS // len(every))
    parts = (every[i : i + block, None] for i in range(0, len(every), block))
    return np.concatenate([np.asarray(rules.of_tables(rules.game, part, every)[..., 0]) for part in parts])


def _entrant(strategy: Array | Automaton, error: float, misperception: float, longest: int) -> Array | Automaton:
    """Return the strategy with its errors as it is solved: a table of memory 1 to `longest`, or an automaton."""
    if isinstance(strategy, Automaton) or misperception > 0:
        automaton = strategy if isinstance(strategy, Automaton) else automata.of_table(strategy)
        erring = {"defecting": error, "cooperating": error, "perceiving": misperception}
        return _filled(minimal(automata.with_errors(automaton, **erring)))
    table = strategies.tremble(strategy, error)
    memory = strategies.memory_of(table)
    if memory > min(longest, 2):
        reduced = _filled(minimal(automata.of_table(table)))
        return reduced if reduced.num_states <= FEW_STATES or memory > longest else table
    return strategies.extend(table, max(memory, 1))


def _filled(automaton: Automaton) -> Automaton:
    n = automaton.num_states
    return padded(automaton, next(size for size in (*SIZES, n) if size >= n))


def _all_pairs(rules: _Rules, entered: list[Array | Automaton]) -> np.ndarray:
    n, mirrored = len(entered), is_symmetric(rules.game)
    tables = {i: x for i, x in enumerate(entered) if not isinstance(x, Automaton)}
    machines = (
        {i: x if isinstance(x, Automaton) else _filled(minimal(automata.of_table(x))) for i, x in enumerate(entered)}
        if len(tables) < n
        else {}
    )
    earned = np.zeros((n, n))
    of_one = [i for i, x in tables.items() if x.shape[-1] == 5]
    if of_one:
        every = jnp.asarray(np.stack([np.asarray(tables[i]) for i in of_one]))
        earned[np.ix_(of_one, of_one)] = _all_of_memory_one(rules, every)
        if len(of_one) == n:
            return earned
    for size, pairs in _alike(tables, machines, mirrored).items():
        as_tables = all(k in tables for k in pairs[0])
        for some in _blocks(pairs, size[0] ** 2 if as_tables else (size[0] * size[1]) ** 2):
            returns = _of_tables(rules, tables, some) if as_tables else _of_automata(rules, machines, some)
            for (i, j), (mine, theirs) in zip(some, returns, strict=False):
                earned[i, j] = mine
                if mirrored:
                    earned[j, i] = theirs
    return earned


def _alike(
    tables: dict[int, Array], machines: dict[int, Automaton], mirrored: bool
) -> dict[tuple[int, ...], list[tuple[int, int]]]:
    """Return the pairs, but those of memory one, that are solved alike: by the longer table, or by numbers of states.

    In a game that is the same from both sides each pair is listed once, the smaller strategy first.
    """
    lengths = {i: table.shape[-1] for i, table in tables.items()}
    sizes = {i: machine.num_states for i, machine in machines.items()} or lengths
    alike: dict[tuple[int, ...], list[tuple[int, int]]] = {}
    for (a, i), (b, j) in itertools.product(enumerate(sorted(sizes, key=sizes.__getitem__)), repeat=2):
        longer = max(lengths[i], lengths[j]) if i in lengths and j in lengths else None
        if longer == 5 or (mirrored and b < a):
            continue
        alike.setdefault((sizes[i], sizes[j]) if longer is None else (longer,), []).append((i, j))
    return alike


def _blocks(pairs: list[tuple[int, int]], numbers: int) -> Iterator[list[tuple[int, int]]]:
    """Return the pairs in blocks that fit, filled up with the last one to one of a few lengths that are compiled."""
    step = 1 << max(0, (MOST_NUMBERS // (4 * numbers)).bit_length() - 1)
    for first in range(0, len(pairs), step):
        some = pairs[first : first + step]
        yield some + some[-1:] * ((1 << (len(some) - 1).bit_length()) - len(some))


def _sides(pairs: list[tuple[int, int]], parts: dict[int, np.ndarray]) -> list[Array]:
    """Return an array of each side of the pairs, stacked by numpy: jax would compile for each number of pairs."""
    return [jnp.asarray(np.stack([parts[pair[side]] for pair in pairs])) for side in (0, 1)]


def _of_tables(rules: _Rules, tables: dict[int, Array], pairs: list[tuple[int, int]]) -> np.ndarray:
    among = {i for pair in pairs for i in pair}
    memory = max(strategies.memory_of(tables[i]) for i in among)
    p, q = _sides(pairs, {i: np.asarray(strategies.extend(tables[i], memory)) for i in among})
    return np.asarray(rules.of_tables(rules.game, p, q))


def _of_automata(rules: _Rules, machines: dict[int, Automaton], pairs: list[tuple[int, int]]) -> np.ndarray:
    among = {i for pair in pairs for i in pair}
    names = ("cooperate", "moves", "start")
    parts = [_sides(pairs, {i: np.asarray(getattr(machines[i], name)) for i in among}) for name in names]
    first, second = (Automaton(*(part[side] for part in parts)) for side in (0, 1))
    return np.asarray(rules.of_automata(rules.game, first, second))
