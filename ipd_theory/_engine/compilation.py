"""`jax.jit` for closed forms on a CPU: what is shared is computed once, and every core has work.

XLA fuses elementwise operations into loops, and on a CPU evaluates a value again in each loop that reads it. In nested
derivatives, where everything is shared many times over, that is tens of thousands of operations in place of two
thousand. `computed_once` says where a value is worth storing. Up to jax 0.10 XLA takes such barriers out before it
fuses, unless told not to; later it fuses first, and cannot compile those that it is told to leave in.

It also moves what does not change out of a loop before it looks for common subexpressions. Every copy of 1 − γ then
becomes a variable of the loop of its own, and what is computed from two copies is computed twice. These loops have
hardly anything to move out, so that pass is left out as well.

Inside other compiled code the options are not ours. There calls that are not to be inlined stand in for barriers, and
loops carry what does not change as if it did (`varying`).

What remains are many short loops over the batch. Sharing each out among the cores costs more than it brings, so a
large batch is cut into blocks that stay in cache, and each core runs the whole program on one block after another. The
cores take them from threads: programs that come from one thread run one after the other.
"""

import contextvars
import functools
import math
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, ParamSpec, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from equinox.internal import unvmap_any
from jax.experimental.xla_metadata import set_xla_metadata
from jaxtyping import Array

P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")

_BARRIERS_STAY = jax.__version_info__ >= (0, 11)
_OUT_TOO_EARLY = () if _BARRIERS_STAY else ("cse_barrier_expander",)
_LEFT_OUT = ("while-loop-invariant-code-motion", *_OUT_TOO_EARLY)
# While a function of `compiled` is traced: whether its own options rule, or those of other compiled code around it.
_OPTIONS_ARE_OURS = contextvars.ContextVar[bool | None]("_OPTIONS_ARE_OURS", default=None)
_TOGETHER = 1024  # a batch of up to this size is not worth sharing out
_BLOCK = 2048


def computed_once(values: T) -> T:
    """Return a tree of arrays that compiled code is to compute once and store, where that pays: on a CPU.

    A GPU computes faster than it stores: on an H200 returns are twice as fast without, gradients 1.5 to 4 times.
    """
    if jax.default_backend() != "cpu":
        return values
    if _BARRIERS_STAY or _OPTIONS_ARE_OURS.get() is not False:
        stored: T = jax.lax.optimization_barrier(values)
        return stored
    return stored_apart(_same, values)


def varying(values: T) -> T:
    """Return a tree of arrays that a loop carries along unchanged, of which compiled code does not know that.

    Nothing is then moved out of the loop, where the options that say so are not ours.
    """
    if jax.default_backend() != "cpu" or _OPTIONS_ARE_OURS.get() is not False:
        return values
    return stored_apart(_same, values)


def _same(values: T) -> T:
    return values


def stored_apart(function: Callable[..., T], *operands: Any) -> T:
    """Return the function's results, computed once and stored on a CPU, whichever options the caller compiles with.

    A call that is not to be inlined is a barrier that no pass takes out. It costs some time to compile, so that it is
    for functions of many operations.
    """
    if jax.default_backend() != "cpu":
        return function(*operands)
    with set_xla_metadata(inlineable="false"):
        stored: T = jax.jit(function)(*operands)
    return stored


def in_one_loop(function: Callable[..., tuple[Array, Array]], *operands: Any) -> tuple[Array, Array]:
    """Return the two results of elementwise operations; on a CPU one loop, not joined to any other, computes both.

    XLA writes a loop for each result, and joins loops that write into one array until they are too long to be
    vectorised. One complex number holds two results, and what a condition guards stays as it is: this one always holds,
    which XLA does not know.

    Args:
        function: returns two arrays of one shape and dtype.
        *operands: trees of arrays, floating ones.
    """
    leaves = jax.tree.leaves(operands)
    if jax.default_backend() != "cpu" or not all(x.size for x in leaves):
        return function(*operands)

    def both(*operands: Any) -> Array:
        return jax.lax.complex(*function(*operands))

    def never(*operands: Any) -> Array:
        result = jax.eval_shape(both, *operands)
        zero = sum(jnp.zeros_like(x[(0,) * x.ndim]) for x in jax.tree.leaves(operands))  # varies where they do
        return jnp.broadcast_to(zero, result.shape).astype(result.dtype)

    pair = jax.lax.cond(_holds(leaves[0]), both, never, *operands)
    return pair.real, pair.imag


def _holds(x: Array) -> Array:
    """Return True, which is known only when the program runs, also under `vmap`."""
    entry = jax.lax.stop_gradient(x)[(0,) * x.ndim]
    return unvmap_any((entry == entry) | (entry != entry))


def compiled(*static_argnames: str, ranks: tuple[int, ...] = ()) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Return `jax.jit` with these static arguments that leaves out the passes named above on a CPU.

    Inside other compiled code, whose options rule, and on other devices it is plain `jax.jit`.

    Args:
        *static_argnames: as for `jax.jit`.
        ranks: where the function works on a batch, how many axes each positional array has besides the batch axes.
            Those broadcast, and come first in all results; a large batch is then done in blocks. Named arguments that
            are not static hold for the whole batch.
    """

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        # What is traced depends on whose options rule, so that the two are functions of their own to `jax.jit`.
        in_ours, in_others = _copy_of(function), _copy_of(function)
        within = {True: jax.jit(in_ours, static_argnames=static_argnames)}
        within[False] = jax.jit(in_others, static_argnames=static_argnames)
        options = {"xla_disable_hlo_passes": ",".join(_LEFT_OUT)}
        on_cpu = jax.jit(in_ours, static_argnames=static_argnames, compiler_options=options)

        @functools.wraps(function)
        def call(*arguments: P.args, **named: P.kwargs) -> R:
            traced = any(isinstance(leaf, jax.core.Tracer) for leaf in jax.tree.leaves((arguments, named)))
            eager = not traced and jax.default_backend() == "cpu"
            ours = eager or bool(_OPTIONS_ARE_OURS.get())
            token = _OPTIONS_ARE_OURS.set(ours)
            try:
                return eagerly(*arguments, **named) if eager else within[ours](*arguments, **named)
            finally:
                _OPTIONS_ARE_OURS.reset(token)

        def eagerly(*arguments: P.args, **named: P.kwargs) -> R:
            axes = _batch_axes(arguments, ranks) if ranks else ()
            if math.prod(axes) <= _TOGETHER:
                return on_cpu(*arguments, **named)
            shared = {k: jax.tree.map(jnp.asarray, v) for k, v in named.items() if k not in static_argnames}
            lower = functools.partial(on_cpu.lower, **{**named, **shared})
            blocks: R = _in_blocks(lower, arguments, shared, ranks, axes)
            return blocks

        return call

    return decorate


def _copy_of(function: Callable[P, R]) -> Callable[P, R]:
    @functools.wraps(function)
    def copy(*arguments: P.args, **named: P.kwargs) -> R:
        return function(*arguments, **named)

    return copy


def _batch_axes(arguments: Any, ranks: tuple[int, ...]) -> tuple[int, ...]:
    shapes = [x.shape[: x.ndim - rank] for x, rank in zip(jax.tree.leaves(arguments), ranks, strict=True)]
    return np.broadcast_shapes(*shapes)


def _flat(x: Any, rank: int, axes: tuple[int, ...]) -> Any:
    """Return an array with its batch axes, if it has any, as one, broadcast."""
    own = x.shape[x.ndim - rank :]
    return x if x.ndim == rank else np.broadcast_to(x, (*axes, *own)).reshape(-1, *own)


def _in_blocks(
    lower: Callable[..., Any], arguments: Any, shared: dict[str, Any], ranks: tuple[int, ...], axes: tuple[int, ...]
) -> Any:
    """Return the function's results, from as many blocks of one size for each core; what fills them up is dropped."""
    count, cores = math.prod(axes), os.cpu_count() or 1
    num_blocks = cores * math.ceil(count / (cores * _BLOCK))
    size = math.ceil(count / num_blocks)
    leaves, tree = jax.tree.flatten(arguments)
    flat = [_flat(x, rank, axes) for x, rank in zip(leaves, ranks, strict=True)]

    def block(i: int) -> Any:
        elements = np.arange(i * size, (i + 1) * size)
        parts = [x if x.ndim == rank else x.take(elements, 0, mode="clip") for x, rank in zip(flat, ranks, strict=True)]
        return jax.device_put(jax.tree.unflatten(tree, parts))

    blocks = [block(i) for i in range(num_blocks)]
    program = lower(*blocks[0]).compile()  # here, under the configuration of the caller's thread
    with ThreadPoolExecutor(cores) as threads:
        parts = list(threads.map(lambda operands: jax.block_until_ready(program(*operands, **shared)), blocks))

    def joined(*blocks: Any) -> Any:
        # On the host, where a CPU's arrays are: to compile a join of a thousand arrays takes long.
        whole = np.concatenate([np.asarray(x) for x in blocks])[:count]
        return jnp.asarray(whole.reshape(*axes, *whole.shape[1:]))

    return jax.tree.map(joined, *parts)
