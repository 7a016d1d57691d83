"""Matrix games between any number of players with two actions each: 0 cooperate, 1 defect.

`payoffs[..., i, a1, a2, …]` is what player i gets when the players choose a1, a2, …; for two players
`payoffs[0]` and `payoffs[1]` are the matrices A and B of a bimatrix game. The payoffs of a symmetric
two-player game are named, from the row player's side,

            C    D
       C    R    S        R reward, S sucker's payoff,
       D    T    P        T temptation, P punishment.
"""

import itertools

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float

from ipd_theory import _checks
from ipd_theory._arguments import checked
from ipd_theory._checks import to_float


def _as_payoffs(x: ArrayLike) -> Array:
    try:
        payoffs = to_float(x)
    except ValueError as error:
        raise ValueError(f"payoffs: {error}") from None
    return _checks.finite("payoffs", payoffs) if isinstance(payoffs, jax.core.Tracer) else payoffs


class MatrixGame(eqx.Module):
    """A one-shot game in normal form, or a batch of them.

    Two games are equal if their payoffs are. A game whose payoffs are known (not traced) can be a key of a dictionary.

    Other tools list a game's cells, each with all players' payoffs; such a list may have the same shape and is another
    game here. Read it with `from_cells`, and two matrices with `bimatrix`.

    Args:
        payoffs: [..., n, 2, …, 2] payoffs (n action axes), player first, then the action of each player.
        num_players: the number n of players; it tells the batch axes from the action axes.

    Raises:
        ValueError: if the last n + 1 axes are not (n, 2, …, 2), or a payoff is not finite.
    """

    payoffs: Float[Array, "..."] = eqx.field(converter=_as_payoffs)
    num_players: int = eqx.field(static=True, default=2)

    def __check_init__(self) -> None:
        n = _checks.whole("num_players", self.num_players, 2)
        wanted = (n, *(2,) * n)
        if self.payoffs.shape[-(n + 1) :] != wanted:
            raise ValueError(
                f"payoffs has shape {self.payoffs.shape}; its last {n + 1} axes must be {wanted}: "
                f"the player, then one action axis for each of num_players={n}"
            )
        if not isinstance(self.payoffs, jax.core.Tracer) and not np.isfinite(self.payoffs).all():
            raise ValueError(f"payoffs must be finite; got {self.payoffs}")

    def __hash__(self) -> int:
        if isinstance(self.payoffs, jax.core.Tracer):
            raise TypeError("a game with traced payoffs has no hash: they are not known yet")
        payoffs = np.asarray(self.payoffs) + 0.0  # -0.0 equals 0.0
        return hash((payoffs.shape, str(payoffs.dtype), payoffs.tobytes(), self.num_players))

    @property
    def batch_axes(self) -> tuple[int, ...]:
        """The shape of the batch of games, () for one."""
        return self.payoffs.shape[: -(self.num_players + 1)]

    @property
    def outcome_payoffs(self) -> Float[Array, "... n outcomes"]:
        """[..., n, 2^n] payoffs by joint action, player 1's action slowest; for two players CC, CD, DC, DD."""
        n = self.num_players
        return self.payoffs.reshape(*self.payoffs.shape[:-n], 2**n)

    def bimatrix(self) -> tuple[Float[Array, "... 2 2"], Float[Array, "... 2 2"]]:
        """Return the matrices A and B [..., 2, 2] of a two-player game, player 1's action in rows.

        Raises:
            ValueError: if the game is not for two.
        """
        _checks.two_players(self)
        return self.payoffs[..., 0, :, :], self.payoffs[..., 1, :, :]


@checked
def bimatrix(A: Float[ArrayLike, "... _ _"], B: Float[ArrayLike, "... _ _"]) -> MatrixGame:
    """Return the two-player game with these payoff matrices, player 1's action in rows of both.

    Args:
        A: [..., 2, 2] player 1's payoffs.
        B: [..., 2, 2] player 2's payoffs; of a symmetric game, A transposed.

    Raises:
        ValueError: if the shapes do not fit or a payoff is not finite.
    """
    matrices = {"A": to_float(A), "B": to_float(B)}
    for name, matrix in matrices.items():
        if matrix.shape[-2:] != (2, 2):
            raise ValueError(f"{name} has shape {matrix.shape}; its last axes must be (2, 2)")
    _checks.batch(**{name: matrix.shape[:-2] for name, matrix in matrices.items()})
    return MatrixGame(jnp.stack(jnp.broadcast_arrays(*matrices.values()), -3))


@checked
def from_cells(cells: Float[ArrayLike, "..."]) -> MatrixGame:
    """Return the game whose cells list all players' payoffs, [[(3, 3), (0, 5)], [(5, 0), (1, 1)]] say.

    Args:
        cells: [2, …, 2, n] payoffs, an action axis for each player and then the player.

    Raises:
        ValueError: if the shape is another or a payoff is not finite.
    """
    payoffs = to_float(cells)
    n = payoffs.ndim - 1
    if n < 2 or payoffs.shape != (*(2,) * n, n):
        raise ValueError(f"cells has shape {payoffs.shape}; it must be [2, …, 2, n] for n players")
    return MatrixGame(jnp.moveaxis(payoffs, -1, 0), num_players=n)


@checked
def symmetric_game(R: ArrayLike, S: ArrayLike, T: ArrayLike, P: ArrayLike) -> MatrixGame:
    """Return the symmetric two-player game with row payoffs R, S, T, P; arrays make a batch of games.

    Args:
        R, S, T, P: [...] payoffs after CC, CD, DC and DD, as the player who moved first in the name sees them.

    Raises:
        ValueError: if batch axes do not fit, or a concrete payoff is not finite.
    """
    payoffs = {name: _finite(name, x) for name, x in (("R", R), ("S", S), ("T", T), ("P", P))}
    _checks.batch(**{name: x.shape for name, x in payoffs.items()})
    return MatrixGame(_both_sides(*payoffs.values()))


@jax.jit
def _both_sides(R: Array, S: Array, T: Array, P: Array) -> Array:
    """Return the payoffs [..., 2, 2, 2] of the game that looks the same to both."""
    R, S, T, P = jnp.broadcast_arrays(R, S, T, P)
    row = jnp.stack([jnp.stack([R, S], -1), jnp.stack([T, P], -1)], -2)
    return jnp.stack([row, jnp.swapaxes(row, -1, -2)], -3)


@checked
def prisoners_dilemma(R: ArrayLike = 1.0, S: ArrayLike = -1.0, T: ArrayLike = 2.0, P: ArrayLike = 0.0) -> MatrixGame:
    """Return a prisoner's dilemma, by default with the payoffs of the COALA-PG paper (section 2).

    Args:
        R, S, T, P: [...] payoffs after CC, CD, DC and DD, T > R > P > S; other orders are `symmetric_game`s.

    Raises:
        ValueError: if concrete payoffs are not in the order T > R > P > S.
    """
    payoffs = [_checks.floating(x) for x in (T, R, P, S)]
    if not any(isinstance(x, jax.core.Tracer) for x in payoffs):
        falling = [bool((np.asarray(high) > np.asarray(low)).all()) for high, low in itertools.pairwise(payoffs)]
        if not all(falling):
            raise ValueError(f"payoffs must be ordered T > R > P > S; got T={T}, R={R}, P={P}, S={S}")
    return symmetric_game(R, S, T, P)


def _finite(name: str, x: ArrayLike) -> Array:
    """Return payoffs as an array, having checked them."""
    return _checks.finite(name, to_float(x))


def axelrod() -> MatrixGame:
    """Return the prisoner's dilemma of Axelrod's tournaments: (R, S, T, P) = (3, 0, 5, 1)."""
    return prisoners_dilemma(R=3.0, S=0.0, T=5.0, P=1.0)


@checked
def donation_game(benefit: ArrayLike, cost: ArrayLike) -> MatrixGame:
    """Return the donation game: a cooperator pays `cost` [...] and the other receives `benefit` [...]."""
    benefit, cost = _finite("benefit", benefit), _finite("cost", cost)
    _checks.batch(benefit=benefit.shape, cost=cost.shape)
    return symmetric_game(R=benefit - cost, S=-cost, T=benefit, P=jnp.zeros_like(benefit - cost))


def stag_hunt() -> MatrixGame:
    """Return a stag hunt, (R, S, T, P) = (4, 0, 3, 2): mutual cooperation and mutual defection are both Nash."""
    return symmetric_game(R=4.0, S=0.0, T=3.0, P=2.0)


def chicken() -> MatrixGame:
    """Return a game of chicken (snowdrift), (R, S, T, P) = (3, 1, 4, 0): the pure equilibria are CD and DC."""
    return symmetric_game(R=3.0, S=1.0, T=4.0, P=0.0)


def battle_of_the_sexes() -> MatrixGame:
    """Return the battle of the sexes: both prefer to meet, player 1 at action 0 and player 2 at action 1."""
    return MatrixGame(jnp.array([[[2.0, 0.0], [0.0, 1.0]], [[1.0, 0.0], [0.0, 2.0]]]))


def matching_pennies() -> MatrixGame:
    """Return matching pennies, a zero-sum game: player 1 wins 1 when the actions match."""
    row = jnp.array([[1.0, -1.0], [-1.0, 1.0]])
    return MatrixGame(jnp.stack([row, -row]))


@checked
def is_symmetric(game: MatrixGame) -> bool:
    """Return whether the stage game looks the same from every side: whoever change places change payoffs."""
    n, payoffs = game.num_players, np.asarray(game.payoffs)  # of numpy's, also where something else is being traced
    axis = payoffs.ndim - n  # of player 1's action, after that of the players
    same = []
    for i in range(n - 1):  # neighbours that change places make all other changes
        order = np.arange(n)
        order[[i, i + 1]] = i + 1, i
        swapped = np.swapaxes(payoffs.take(order, axis=axis - 1), axis + i, axis + i + 1)
        same.append(bool((swapped == payoffs).all()))
    return all(same)


@checked
def public_goods(num_players: int, multiplication: float, cost: float = 1.0) -> MatrixGame:
    """Return the public goods game: contributions of `cost` are multiplied, then shared equally by all.

    Args:
        num_players: how many players, 2 or more.
        multiplication: the factor on the sum of contributions; a social dilemma lies between 1 and num_players.
        cost: what a cooperator pays.

    Raises:
        ValueError: if there are fewer than two players, or a number is not finite.
    """
    num_players = _checks.whole("num_players", num_players, 2, 20)
    contributes = 1.0 - jnp.indices((2,) * num_players).astype(float)
    share = multiplication * cost * contributes.sum(0) / num_players
    return MatrixGame(share - cost * contributes, num_players=num_players)
