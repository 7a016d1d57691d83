"""A diagonal linear recurrence with a fast transpose, and the square root that scales its inputs."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float


@jax.custom_jvp
def bounded_sqrt(x: Array) -> Array:
    """√x whose derivative is kept below 1000: √(1 − a²) is steep where a unit forgets nothing."""
    return jnp.sqrt(x)


@bounded_sqrt.defjvp
def _bounded_sqrt_jvp(primals: tuple[Array], tangents: tuple[Array]) -> tuple[Array, Array]:
    root = jnp.sqrt(primals[0])
    return root, tangents[0] * 0.5 / jnp.maximum(root, 0.5e-3)


@jax.custom_vjp
def linear_recurrence(
    decay: Float[Array, "time *batch"], inputs: Float[Array, "time *batch"], start: Float[Array, "*batch"]
) -> Float[Array, "time *batch"]:
    """Return h_t = decay_t h_{t−1} + inputs_t for every t, from h_{−1} = start.

    Its transpose is the same recurrence backwards in time, which is several times faster than differentiating
    the loop. Reverse mode only, of any order.
    """

    def step(h: Array, at: tuple[Array, Array]) -> tuple[Array, Array]:
        # As vectors: a CPU takes one long loop faster than one over short rows.
        h = at[0].reshape(-1) * h + at[1].reshape(-1)
        return h, h

    return jax.lax.scan(step, start.reshape(-1), (decay, inputs))[1].reshape(decay.shape)


def _linear_recurrence_forward(decay: Array, inputs: Array, start: Array) -> tuple[Array, tuple[Array, Array, Array]]:
    hidden = linear_recurrence(decay, inputs, start)
    return hidden, (decay, hidden, start)


def _linear_recurrence_backward(residuals: tuple[Array, Array, Array], cotangent: Array) -> tuple[Array, Array, Array]:
    decay, hidden, start = residuals
    next_decay = jnp.concatenate([decay[1:], jnp.zeros_like(decay[:1])])
    adjoint = linear_recurrence(next_decay[::-1], cotangent[::-1], jnp.zeros_like(start))[::-1]
    before = jnp.concatenate([start[None], hidden[:-1]])
    return adjoint * before, adjoint, decay[0] * adjoint[0]


linear_recurrence.defvjp(_linear_recurrence_forward, _linear_recurrence_backward)
