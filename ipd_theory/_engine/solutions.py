"""Flows and values of chains of histories: which elimination, in parts that stay in cache, differentiated by rule.

A chain is given by `moves` [..., n, K], the probability of each of K outcomes after each of n histories. A history
number s leads to those with the numbers (s mod n/K)·K + k; where K = n every state leads to every other. All arrays
share their batch axes [...], as `with_common_batch` in `chains` makes them.

Values grow as 1/δ while only their differences matter, so they are computed relative to the state visited most, the
root (`elimination` says why). Moves into the root count as stopping there. A source's flow relative to the root is the
transpose: what the source brings to the root goes on as the root's own flow would, less that of the whole source.
"""

import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Int

from ipd_theory._engine import elimination, panels

WRITTEN_OUT = 256  # states at most, of chains whose elimination is written out as a program
DENSE_WRITTEN_OUT = 64  # the same where every state leads to every other
WORTH_WRITING_OUT = 32  # so many chains at least: such a program takes seconds to compile


def onward(moves: Array, w: Array) -> Array:
    """Return Mw [..., n] for w [..., n]."""
    n, outcomes = moves.shape[-2:]
    spread = moves.reshape(*moves.shape[:-2], outcomes, n // outcomes, outcomes)
    after = w.reshape(*w.shape[:-1], 1, n // outcomes, outcomes)
    product = (spread * after).sum(-1)
    return product.reshape(*product.shape[:-2], n)


def entered(moves: Array, d: Array) -> Array:
    """Return Mᵀd [..., n] for d [..., n]."""
    n, outcomes = moves.shape[-2:]
    spread = moves.reshape(*moves.shape[:-2], outcomes, n // outcomes, outcomes)
    product = (spread * d.reshape(*d.shape[:-1], outcomes, n // outcomes, 1)).sum(-3)
    return product.reshape(*product.shape[:-2], n)


def _successors(n: int, outcomes: int) -> np.ndarray:
    return np.arange(n)[:, None] % (n // outcomes) * outcomes + np.arange(outcomes)


def _written_out(n: int, outcomes: int, batch: int) -> bool:
    return batch >= WORTH_WRITING_OUT and n <= (DENSE_WRITTEN_OUT if n == outcomes else WRITTEN_OUT)


def over_batch(ranks: tuple[int, ...]) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Return a decorator that gives a function of arrays [..., own axes] all axes that `vmap` adds as batch axes.

    Args:
        ranks: how many axes of its own each argument has.
    """

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        @jax.custom_batching.custom_vmap
        def call(*arrays: Array) -> Any:
            batch = np.broadcast_shapes(*(x.shape[: x.ndim - r] for x, r in zip(arrays, ranks, strict=True)))
            own = [x.shape[x.ndim - r :] for x, r in zip(arrays, ranks, strict=True)]
            shapes = [(math.prod(batch), *o) for o in own]
            whole = [jnp.broadcast_to(x, (*batch, *o)) for x, o in zip(arrays, own, strict=True)]
            flat = [x.reshape(shape) for x, shape in zip(whole, shapes, strict=True)]
            return jax.tree.map(lambda x: x.reshape(*batch, *x.shape[1:]), function(*flat))

        @call.def_vmap
        def _(size: int, in_batched: list[bool], *arrays: Array) -> tuple[Any, Any]:
            deepest = max(x.ndim - r - b for x, r, b in zip(arrays, ranks, in_batched, strict=True))

            def aligned(x: Array, rank: int, batched: bool) -> Array:
                """Put the new axis before the deepest batch axes, of which this array may have fewer."""
                first = x.shape[:1] if batched else (1,)
                batch = x.shape[batched : x.ndim - rank]
                return x.reshape(*first, *(1,) * (deepest - len(batch)), *batch, *x.shape[x.ndim - rank :])

            results = call(*(aligned(*each) for each in zip(arrays, ranks, in_batched, strict=True)))
            return results, jax.tree.map(lambda _: True, results)

        return call

    return decorate


def in_parts(function: Callable[..., Any], chain: tuple[int, ...], *arrays: Array) -> Any:
    """Return the results [batch, ...] of a function of arrays whose batch comes last, for parts that stay in cache.

    What is not written out is done for each chain on its own, side by side.

    Args:
        function: of arrays [..., lanes], or without that axis.
        chain: how many states and outcomes the chains that it solves have.
        *arrays: [batch, ...].
    """
    (states, outcomes), batch = chain, len(arrays[0])
    if not _written_out(states, outcomes, batch):
        return jax.vmap(function)(*arrays)
    lanes = max(WORTH_WRITING_OUT, min(128, 2**13 // states)) if jax.default_backend() == "cpu" else batch

    def part(arrays: tuple[Array, ...]) -> Any:
        lanes_last = function(*(jnp.moveaxis(x, 0, -1) for x in arrays))
        return jax.tree.map(lambda x: jnp.moveaxis(x, -1, 0), lanes_last)

    if batch <= lanes:
        return part(arrays)
    parts = -(-batch // lanes)
    padded = [jnp.concatenate([x, x[: parts * lanes - batch]]) if parts * lanes > batch else x for x in arrays]
    results = jax.lax.map(part, tuple(x.reshape(parts, lanes, *x.shape[1:]) for x in padded))
    return jax.tree.map(lambda x: x.reshape(parts * lanes, *x.shape[2:])[:batch], results)


def _censored(moves: Array, stop: Array) -> elimination.Elimination | panels.Panels:
    """Eliminate a chain of rates [n, K] by a loop, or many [n, K, lanes] by what is written out."""
    n, outcomes, *lanes = moves.shape
    if lanes:
        return panels.censored(moves, stop)
    states = np.arange(n)[:, None]
    rates = jnp.zeros((n, n), moves.dtype).at[states, _successors(n, outcomes)].set(moves)
    return elimination.censored(rates, stop)


def occupied(start: Array, moves: Array, delta: Array) -> Array:
    """Return the normalised occupancy [n, lanes]."""
    stop = jnp.broadcast_to(delta, start.shape)
    return delta * _censored((1 - delta) * moves, stop).flows(start[None])[0]


class Rooted:
    """A chain [lanes] whose moves into the root count as stopping, eliminated; `share` is the root's own occupancy."""

    def __init__(self, moves: Array, delta: Array, root: Array) -> None:
        n, outcomes, *lanes = moves.shape
        into_root = _successors(n, outcomes).reshape(n, outcomes, *(1 for _ in lanes)) == root
        rates = (1 - delta) * moves
        stop = delta + jnp.where(into_root, rates, 0).sum(1)
        self.chain = _censored(jnp.where(into_root, 0, rates), stop)
        at_root = (np.arange(n).reshape(n, *(1 for _ in lanes)) == root).astype(moves.dtype)
        time = self.chain.flows(at_root[None])[0]
        self.share = time / time.sum(0)

    def values(self, rewards: Array) -> Array:
        """Return the values [k, n, lanes] relative to the root."""
        surplus = rewards - (self.share * rewards).sum(1, keepdims=True)
        return self.chain.values(surplus) if len(rewards) else rewards

    def flows(self, sources: Array) -> Array:
        """Return the transpose of `values` at sources [k, n, lanes]."""
        flow = self.chain.flows(sources) if len(sources) else sources
        return flow - flow.sum(1, keepdims=True) * self.share


@over_batch((1, 2, 0))
def _occupancy(start: Array, moves: Array, delta: Array) -> Array:
    return in_parts(occupied, moves.shape[-2:], start, moves, delta)


@over_batch((2, 0, 0, 2, 2))
def _relative(moves: Array, delta: Array, root: Array, rewards: Array, sources: Array) -> tuple[Array, Array]:
    """Return values of rewards [..., k, n] and flows of sources [..., l, n]; either may have none."""

    def part(moves: Array, delta: Array, root: Array, rewards: Array, sources: Array) -> tuple[Array, Array]:
        rooted = Rooted(moves, delta, root)
        return rooted.values(rewards), rooted.flows(sources)

    return in_parts(part, moves.shape[-2:], moves, delta, root, rewards, sources)


@jax.custom_jvp
def relative(
    moves: Array, delta: Array, root: Int[Array, "*batch"], rewards: Array, sources: Array
) -> tuple[Array, Array]:
    """Return values [..., k, n] of rewards and flows [..., l, n] of sources, both relative to the root.

    Args:
        moves: [..., n, K].
        delta: [...] stopping rates.
        root: [...] a state that the chain keeps coming back to.
        rewards: [..., k, n].
        sources: [..., l, n]; their flow is that of (I − γM) where they add up to zero.
    """

    def solve(_: Any, right: tuple[Array, Array]) -> tuple[Array, Array]:
        w, f = _relative(moves, delta, root, *right)
        return w, f

    def transposed(_: Any, right: tuple[Array, Array]) -> tuple[Array, Array]:
        f, w = _relative(moves, delta, root, *right[::-1])
        return w, f

    def unsolved(found: tuple[Array, Array]) -> tuple[Array, Array]:
        w, f = found
        many, gamma = moves[..., None, :, :], 1 - delta[..., None, None]
        return w - gamma * onward(many, w), f - gamma * entered(many, f)

    # Linear in its right-hand sides, each other's transpose. A solve that has been transposed no longer has the rule
    # below: what it is differentiated by, from the third derivative of a return on, is `unsolved`.
    return jax.lax.custom_linear_solve(unsolved, (rewards, sources), solve, transposed)


@relative.defjvp
def _relative_jvp(primals: tuple[Array, ...], tangents: tuple[Array, ...]) -> tuple[Any, Any]:
    """ẇ are the values for the rewards ṙ + γ Ṁw − δ̇ Mw, ḟ the flow of ṡ + γ Ṁᵀf − δ̇ Mᵀf."""
    moves, delta, root, *_ = primals
    moves_dot, delta_dot, _, rewards_dot, sources_dot = tangents
    w, f = relative(*primals)
    many, rate = moves[..., None, :, :], delta[..., None, None]
    rewards_dot = rewards_dot + (1 - rate) * onward(moves_dot[..., None, :, :], w)
    sources_dot = sources_dot + (1 - rate) * entered(moves_dot[..., None, :, :], f)
    rewards_dot = rewards_dot - delta_dot[..., None, None] * onward(many, w)
    sources_dot = sources_dot - delta_dot[..., None, None] * entered(many, f)
    return (w, f), relative(moves, delta, root, rewards_dot, sources_dot)


@over_batch((1, 2, 0, 2))
def _solution(start: Array, moves: Array, delta: Array, payoffs: Array) -> tuple[Array, Array]:
    def part(start: Array, moves: Array, delta: Array, payoffs: Array) -> tuple[Array, Array]:
        d = occupied(start, moves, delta)
        return d, Rooted(moves, delta, jnp.argmax(d, 0)).values(payoffs)

    return in_parts(part, moves.shape[-2:], start, moves, delta, payoffs)


@jax.custom_jvp
def chain_occupancy(start: Array, moves: Array, delta: Array) -> Array:
    """Return d [..., n] for start [..., n], moves [..., n, K] and stopping rates delta [...]."""
    d: Array = _occupancy(start, moves, delta)
    return d


@chain_occupancy.defjvp
def _occupancy_jvp(primals: tuple[Array, Array, Array], tangents: tuple[Array, Array, Array]) -> tuple[Array, Array]:
    _, moves, delta = primals
    d = chain_occupancy(*primals)
    source = _source(d, primals, tangents)[..., None, :]
    nothing = source[..., :0, :]  # of the source, as a solve that is transposed must be linear in all it is given
    _, flow = relative(moves, delta, jnp.argmax(d, -1), nothing, source)
    return d, flow[..., 0, :]


def _source(d: Array, primals: tuple[Array, ...], tangents: tuple[Array, ...]) -> Array:
    """Return b with ḋ = bᵀ(I − γM)^{-1}: b = δ ṡ_0 + γ Ṁᵀd + δ̇ (s_0 − Mᵀd), whose entries add up to zero."""
    start, moves, delta, *_ = primals
    start_dot, moves_dot, delta_dot, *_ = tangents
    rate = delta[..., None]
    return rate * start_dot + (1 - rate) * entered(moves_dot, d) + (start - entered(moves, d)) * delta_dot[..., None]


@jax.custom_jvp
def solution(start: Array, moves: Array, delta: Array, payoffs: Array) -> tuple[Array, Array]:
    """Return d [..., n] and the values w [..., k, n] of payoffs [..., k, n], less that of the state visited most."""
    return _solution(start, moves, delta, payoffs)


@solution.defjvp
def _solution_jvp(primals: tuple[Array, ...], tangents: tuple[Array, ...]) -> tuple[Any, Any]:
    _, moves, delta, _ = primals
    _, moves_dot, delta_dot, payoffs_dot = tangents
    d, w = solution(*primals)
    rewards = payoffs_dot + (1 - delta)[..., None, None] * onward(moves_dot[..., None, :, :], w)
    rewards = rewards - delta_dot[..., None, None] * onward(moves[..., None, :, :], w)
    source = _source(d, primals, tangents)
    w_dot, d_dot = relative(moves, delta, jnp.argmax(d, -1), rewards, source[..., None, :])
    return (d, w), (d_dot[..., 0, :], w_dot)


@jax.custom_jvp
def chain_returns(start: Array, moves: Array, delta: Array, payoffs: Array) -> Array:
    """Return J [..., k] for payoffs [..., k, n]; the other arguments as `chain_occupancy`."""
    return (chain_occupancy(start, moves, delta)[..., None, :] * payoffs).sum(-1)


@chain_returns.defjvp
def _returns_jvp(primals: tuple[Array, ...], tangents: tuple[Array, ...]) -> tuple[Array, Array]:
    """The policy gradient theorem: J̇ = d·ṙ + γ dᵀṀw + δ ṡ_0·w + δ̇ (s_0 − Mᵀd)·w."""
    payoffs, payoffs_dot = primals[-1], tangents[-1]
    d, w = solution(*primals)
    source = _source(d, primals, tangents)[..., None, :]
    return (d[..., None, :] * payoffs).sum(-1), (d[..., None, :] * payoffs_dot + source * w).sum(-1)
