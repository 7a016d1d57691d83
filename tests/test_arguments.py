"""Arguments held to their annotations: what is refused, in which words, and what means the same."""

import dataclasses
from fractions import Fraction
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jaxtyping import Array, ArrayLike, Float, Int

import ipd_theory as ipd
from ipd_theory import _arguments
from ipd_theory.games import MatrixGame


@_arguments.checked
def door(
    game: MatrixGame,
    *tables: Float[ArrayLike, "... _"],
    discount: ArrayLike | None = None,
    horizon: int | None = None,
    rate: float = 1.0,
    normalized: bool = True,
    way: Literal["up", "down"] = "up",
    count: Int[Array, "..."] | None = None,
) -> tuple[Any, ...]:
    """Return what arrives."""
    return game, tables, discount, horizon, rate, normalized, way, count


GAME = ipd.prisoners_dilemma()


@pytest.mark.parametrize(
    ("arguments", "named", "words"),
    [
        ((3,), {}, "game must be a MatrixGame; got 3"),
        ((ipd.prisoners_dilemma,), {}, "did you mean prisoners_dilemma"),
        ((GAME, "x"), {}, r"tables\[0\] must be an array of numbers; got 'x'"),
        ((GAME, [1.0], None), {}, r"tables\[1\] must be an array of numbers; got None"),
        ((GAME,), {"discount": [[1], [2, 3]]}, "discount must be an array of numbers"),
        ((GAME,), {"discount": [1 + 2j]}, "discount must be an array of numbers"),
        ((GAME,), {"horizon": 2.0}, "horizon must be a whole number; got 2.0"),
        ((GAME,), {"horizon": True}, "horizon must be a whole number; got True"),
        ((GAME,), {"rate": float("nan")}, "rate must be a finite number; got nan"),
        ((GAME,), {"rate": "1"}, "rate must be a number; got '1'"),
        ((GAME,), {"normalized": 1}, "normalized must be True or False; got 1"),
        ((GAME,), {"way": "left"}, "way must be one of 'up', 'down'; got 'left'"),
        ((GAME,), {"count": jnp.zeros(2)}, "count must be an array of whole numbers"),
    ],
)
def test_another_kind_is_refused_by_name(arguments: tuple[Any, ...], named: dict[str, Any], words: str) -> None:
    with pytest.raises((TypeError, ValueError), match=words):
        door(*arguments, **named)


def test_too_many_positions_are_named() -> None:
    with pytest.raises(TypeError, match=r"takes 1 arguments by position \(game\); got 2. By name: discount"):
        _arguments.checked(lambda game, *, discount: None)(GAME, 0.9)


def test_what_means_the_same_arrives_as_the_same() -> None:
    tables = ([1, 0], np.array([True, False]), [Fraction(1, 3), 0], [jnp.ones(2), jnp.zeros(2)])
    _, seen, _, horizon, rate, normalized, *_ = door(
        GAME, *tables, horizon=np.int64(3), rate=np.float32(0.5), normalized=np.bool_(False)
    )
    assert all(np.asarray(x).dtype == np.float64 for x in seen)
    assert float(seen[2][0]) == 1 / 3
    assert (type(horizon), horizon, type(rate), rate, normalized) == (int, 3, float, 0.5, False)


def test_arrays_pass_untouched_and_traced_numbers_too() -> None:
    x = jnp.ones((2, 5), np.float32)
    assert door(GAME, x)[1][0] is x
    assert jax.jit(lambda rate: door(GAME, rate=rate)[4])(2.0) == 2.0


def test_fields_of_a_record_are_held() -> None:
    @dataclasses.dataclass(frozen=True)
    class Settings:
        steps: int
        rate: float = 0.1

        def __post_init__(self) -> None:
            _arguments.hold_fields(self)

    assert type(Settings(np.int32(2)).steps) is int
    with pytest.raises(TypeError, match=r"steps must be a whole number; got 2.5"):
        Settings(2.5)
    with pytest.raises(ValueError, match="rate must be a finite number; got inf"):
        Settings(2, float("inf"))


def test_what_computes_outside_of_compiled_code_says_so_where_it_is_traced() -> None:
    @_arguments.checked
    def weighed(x: ArrayLike, weight: ArrayLike) -> float:
        return float(np.asarray(x).sum()) * float(weight)

    with pytest.raises(TypeError, match=r"^x: traced, inside jit, vmap or grad, where weighed needs numbers"):
        jax.jit(lambda x: weighed(x, 1.0))(jnp.ones(2))
    with pytest.raises(TypeError, match=r"^weight: traced"):
        jax.grad(lambda weight: weighed(np.ones(2), weight=weight))(1.0)
    with pytest.raises(jax.errors.TracerBoolConversionError):  # of what the function was not given
        jax.jit(lambda x: weighed(np.ones(2), 1.0 if x > 0 else 2.0))(1.0)


def test_verdicts_work_inside_compiled_code() -> None:
    game, table = ipd.games.axelrod(), ipd.strategies.tit_for_tat()
    for holds in (ipd.replies.is_nash, ipd.replies.is_partner, ipd.replies.is_rival):
        inside = jax.jit(lambda x, holds=holds: holds(game, x, discount=0.9))(table)
        assert bool(inside) == bool(holds(game, table, discount=0.9))


def test_games_made_inside_compiled_code_hold_finite_payoffs() -> None:
    with pytest.raises(jax.errors.JaxRuntimeError, match="payoffs holds nan"):
        jax.block_until_ready(jax.jit(lambda x: ipd.MatrixGame(x).payoffs)(jnp.full((2, 2, 2), jnp.nan)))
    with pytest.raises(jax.errors.JaxRuntimeError, match="benefit holds inf"):
        jax.block_until_ready(jax.jit(lambda b: ipd.games.donation_game(b, 1.0).payoffs)(jnp.inf))
