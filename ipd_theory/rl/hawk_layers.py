"""The layers of Hawk: products, RMSNorm, the encoder, the recurrence's gates, the decoder."""

import functools
import math
from typing import Literal

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Key

from ipd_theory.rl.recurrence import bounded_sqrt

DecayInitialization = Literal["squared", "effective"]
DECAY_SCALE = 8.0
DECAY_RANGE = (0.9, 0.999)

gelu = functools.partial(jax.nn.gelu, approximate=True)


class Linear(eqx.Module):
    """x ↦ x W + b over the last axis."""

    weight: Float[Array, "inputs outputs"]
    bias: Float[Array, " outputs"]

    def __call__(self, x: Float[Array, "*batch inputs"]) -> Float[Array, "*batch outputs"]:
        """Return x W + b."""
        return product(x, self.weight) + self.bias


def product(x: Float[Array, "*batch inputs"], weight: Float[Array, "inputs outputs"]) -> Float[Array, "*batch outputs"]:
    """Return x W as a product of two matrices; of more axes XLA makes transposed copies for the weight's gradient."""
    rows = _matrix_product(x.reshape(math.prod(x.shape[:-1]), x.shape[-1]), weight)
    return rows.reshape(*x.shape[:-1], rows.shape[-1])


@jax.custom_vjp
def _matrix_product(x: Float[Array, "rows inputs"], weight: Float[Array, "inputs outputs"]) -> Array:
    return x @ weight


def _matrix_product_forward(x: Array, weight: Array) -> tuple[Array, tuple[Array, Array]]:
    return x @ weight, (x, weight)


def _matrix_product_backward(residuals: tuple[Array, Array], cotangent: Array) -> tuple[Array, Array]:
    x, weight = residuals
    return cotangent @ weight.T, _by_columns(x, cotangent)


_matrix_product.defvjp(_matrix_product_forward, _matrix_product_backward)


def _by_columns(x: Float[Array, "rows inputs"], y: Float[Array, "rows outputs"]) -> Float[Array, "inputs outputs"]:
    """Return xᵀ y. On a CPU the narrower matrix is first written out transposed, up to twice as fast as x.T @ y."""
    written = jax.lax.optimization_barrier  # else XLA makes it one product over columns again
    if jax.default_backend() != "cpu" or x.shape[1] == y.shape[1]:
        return x.T @ y
    return written(x.T) @ y if x.shape[1] < y.shape[1] else written(written(y.T) @ x).T


class RMSNorm(eqx.Module):
    """x ↦ (1 + scale) x / √(mean x² + 1e-6) over the last axis."""

    scale: Float[Array, " width"]

    def then(self, layer: Linear, x: Float[Array, "*batch width"]) -> Float[Array, "*batch outputs"]:
        """Return layer(norm(x)): the scale goes to the weights, and rows are divided after the product."""
        inverse_size = jax.lax.rsqrt(jnp.mean(x * x, -1, keepdims=True) + 1e-6)
        return inverse_size * product(x, (1 + self.scale)[:, None] * layer.weight) + layer.bias


def decay_parameter(key: Key[Array, ""], width: int, initialization: DecayInitialization) -> Float[Array, " width"]:
    """Return Λ such that e^{−2 softplus(Λ)} or e^{−8 softplus(Λ)} is uniform on its initial range.

    Args:
        key: of the draw.
        width: how many units.
        initialization: `squared` for the first, on [0.9², 0.999²]; `effective` for the second, on [0.9, 0.999].

    Raises:
        ValueError: if `initialization` is neither.
    """
    low, high = DECAY_RANGE
    uniform = jax.random.uniform(key, (width,), jnp.float32)
    if initialization == "squared":
        log_decay = 0.5 * jnp.log(low**2 + uniform * (high**2 - low**2))
    elif initialization == "effective":
        log_decay = jnp.log(low + uniform * (high - low)) / DECAY_SCALE
    else:
        raise ValueError(f"decay_initialization must be 'squared' or 'effective'; got {initialization!r}")
    return jnp.log(jnp.expm1(-log_decay))


class Encoder(eqx.Module):
    """Observations to the three streams that need no memory."""

    embedding: Linear
    norm: RMSNorm
    to_branch: Linear
    to_recurrence: Linear

    def __call__(self, features: Float[Array, "*batch features"]) -> tuple[Array, Array, Array]:
        """Return the residual stream, the multiplicative branch and the recurrence's input, each [*batch, width]."""
        x = self.embedding(features)
        return x, gelu(self.norm.then(self.to_branch, x)), self.norm.then(self.to_recurrence, x)


class Gates(eqx.Module):
    """The convolution and the gates of the recurrence; `merged` is the two gates' matrices as one."""

    conv_weight: Float[Array, "conv_width width"]
    conv_bias: Float[Array, " width"]
    weight: Float[Array, "2 heads block block"]
    bias: Float[Array, "2 width"]
    decay_parameter: Float[Array, " width"]

    def merged(self) -> Linear:
        """Return both block-diagonal gates as one layer [width, 2 width]."""
        blocks = [jax.scipy.linalg.block_diag(*gate) for gate in self.weight]
        return Linear(jnp.concatenate(blocks, 1), self.bias.reshape(-1))


def recurrence_terms(
    decay_parameter: Float[Array, " width"],
    v: Float[Array, "*batch width"],
    logits: Float[Array, "*batch two_widths"],
    fresh: Bool[Array, "*batch"],
) -> tuple[Float[Array, "*batch width"], Float[Array, "*batch width"]]:
    """Return the decay and the input of the recurrence [*batch, width]; `fresh` where nothing came before."""
    recurrence, input_gate = jnp.split(jax.nn.sigmoid(logits), 2, -1)
    lost = jnp.expm1(-DECAY_SCALE * recurrence * jax.nn.softplus(decay_parameter))  # a − 1, exact where a is near 1
    scale = bounded_sqrt(-lost * (2 + lost))
    first = fresh[..., None]
    return jnp.where(first, 0, 1 + lost), jnp.where(first, 1, scale) * input_gate * v


class Decoder(eqx.Module):
    """Everything after the recurrence: back into the residual stream, the gated MLP, the readout."""

    from_recurrence: Linear
    norm: RMSNorm
    up: Linear
    down: Linear
    final_norm: RMSNorm
    readout: Linear

    def __call__(
        self,
        x: Float[Array, "*batch width"],
        branch: Float[Array, "*batch width"],
        hidden: Float[Array, "*batch width"],
    ) -> Float[Array, "*batch outputs"]:
        """Return the readout [*batch, outputs]."""
        x = x + self.from_recurrence(branch * hidden)
        first, second = jnp.split(self.norm.then(self.up, x), 2, -1)
        x = x + self.down(gelu(first) * second)
        return self.final_norm.then(self.readout, x)
