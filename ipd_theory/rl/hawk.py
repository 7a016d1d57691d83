r"""Hawk: a recurrent network whose memory is a gated diagonal linear recurrence (De et al. 2024, Griffin).

With x̂ = RMSNorm(x) and ⊙ elementwise, one residual block maps x to x + W_out[GELU(W_y x̂) ⊙ h], where

    u = W_x x̂,      v_t = b + Σ_k w_k ⊙ u_{t−k}          causal depthwise convolution over the last few steps,
    ρ = σ(W_ρ v),   ι = σ(W_ι v)                          recurrence and input gates, block-diagonal,
    a = exp(−8 ρ softplus(Λ)),                            the decay of each unit,
    h_t = a_t ⊙ h_{t−1} + √(1 − a_t²) ⊙ ι_t ⊙ v_t         the real-gated linear recurrent unit (RG-LRU),

and then adds a gated MLP, x + W_down[GELU(x̂W_0 + b_0) ⊙ (x̂W_1 + b_1)]. At a reset nothing before the step
counts: h_t = ι_t ⊙ v_t with u_{t−k} = 0 for k > 0. Here an observation is mapped to the width linearly, the
block follows, then RMSNorm and a linear readout that starts at zero.

All gates depend on observations alone, never on h, so a known sequence needs only matrix products over all steps
at once and one cheap scan for h. If observations are integers (k stands for the one-hot vector e_k), everything
before the recurrence is a function of the last few of them, the window of the convolution: with few observations and
many steps it is evaluated once a window, as a table, and looked up (5 observations and a convolution of width 4
have 5 + 25 + 125 + 625 windows, the short ones for the steps after a reset).
"""

import functools
import math
from typing import Literal, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, Key

from ipd_theory.rl.recurrence import bounded_sqrt, linear_recurrence

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
        return _product(x, self.weight) + self.bias


def _product(
    x: Float[Array, "*batch inputs"], weight: Float[Array, "inputs outputs"]
) -> Float[Array, "*batch outputs"]:
    """Return x W as a product of two matrices; of more axes XLA makes transposed copies for the weight's gradient."""
    rows = x.reshape(math.prod(x.shape[:-1]), x.shape[-1]) @ weight
    return rows.reshape(*x.shape[:-1], rows.shape[-1])


def _unbiased(weight: Float[Array, "inputs outputs"]) -> Linear:
    return Linear(weight, jnp.zeros(weight.shape[1], jnp.float32))


def _normals(key: Key[Array, ""], *wanted: tuple[tuple[int, ...], float]) -> list[Array]:
    """Return normal arrays of the given shapes and variances, cut from one draw, which compiles quickest."""
    sizes = [math.prod(shape) for shape, _ in wanted]
    flat = jax.random.normal(key, (sum(sizes),), jnp.float32)
    parts = jnp.split(flat, np.cumsum(sizes)[:-1])
    return [part.reshape(shape) * variance**0.5 for part, (shape, variance) in zip(parts, wanted, strict=True)]


class RMSNorm(eqx.Module):
    """x ↦ (1 + scale) x / √(mean x² + 1e-6) over the last axis."""

    scale: Float[Array, " width"]

    def then(self, layer: Linear, x: Float[Array, "*batch width"]) -> Float[Array, "*batch outputs"]:
        """Return layer(norm(x)): the scale goes to the weights, and rows are divided after the product."""
        inverse_size = jax.lax.rsqrt(jnp.mean(x * x, -1, keepdims=True) + 1e-6)
        return inverse_size * _product(x, (1 + self.scale)[:, None] * layer.weight) + layer.bias


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

    def convolve(self, window: list[Float[Array, "*batch width"]]) -> Float[Array, "*batch width"]:
        """Return v [*batch, width] from u_t, u_{t−1}, …, zero where there is nothing."""
        return sum((w * u for w, u in zip(self.conv_weight, window, strict=True)), self.conv_bias)

    def __call__(
        self, merged: Linear, v: Float[Array, "*batch width"], fresh: Bool[Array, "*batch"]
    ) -> tuple[Array, Array]:
        """Return the decay and the input of the recurrence [*batch, width]; `fresh` where nothing came before."""
        recurrence, input_gate = jnp.split(jax.nn.sigmoid(merged(v)), 2, -1)
        log_decay = -DECAY_SCALE * recurrence * jax.nn.softplus(self.decay_parameter)
        scale = bounded_sqrt(-jnp.expm1(2 * log_decay))
        first = fresh[..., None]
        return jnp.where(first, 0, jnp.exp(log_decay)), jnp.where(first, 1, scale) * input_gate * v


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


class HawkState(NamedTuple):
    """What streams remember: the hidden units, and the last few inputs of the convolution (or observations), newest
    first."""

    hidden: Float[Array, "*batch width"]
    recent: Array


class Hawk(eqx.Module):
    """The parameters of the network; `assemble` makes it ready to evaluate.

    Args:
        key: the key of the initial weights.
        num_observations: how many different observations, or features of one observation, there are.
        num_outputs: width of the readout.
        width: of the residual stream and of the recurrence.
        heads: diagonal blocks of the gates.
        expanded_width: of the gated MLP.
        conv_width: steps that the temporal convolution sees.
        decay_initialization: `squared` draws a² uniformly on [0.9², 0.999²] at an open gate with exponent 1, as the
            public reference code does; `effective` draws a^8, the decay at an open gate, uniformly on [0.9, 0.999].
        discrete: whether observations are integers that stand for one-hot vectors, or vectors of features.

    Raises:
        ValueError: if `heads` does not divide `width`, or a size is not positive.
    """

    encoder: Encoder
    gates: Gates
    decoder: Decoder
    discrete: bool = eqx.field(static=True)

    def __init__(
        self,
        key: Key[Array, ""],
        num_observations: int,
        num_outputs: int,
        width: int = 32,
        heads: int = 2,
        expanded_width: int = 32,
        conv_width: int = 4,
        decay_initialization: DecayInitialization = "squared",
        discrete: bool = True,
    ) -> None:
        sizes = (num_observations, num_outputs, width, heads, expanded_width, conv_width)
        if min(sizes) < 1:
            raise ValueError(f"every size of the network must be 1 or more; got {sizes}")
        if width % heads:
            raise ValueError(f"heads must divide width; got heads={heads}, width={width}")
        weight_key, decay_key = jax.random.split(key)
        # The variances of the reference implementation at depth 1, its fan-in counting all blocks of a weight.
        embedding, to_branch, to_recurrence, conv, gates, from_recurrence, up, down = _normals(
            weight_key,
            ((num_observations, width), 1 / num_observations),
            ((width, width), 1 / width),
            ((width, width), 1 / width),
            ((conv_width, width), 0.01 / conv_width),
            ((2, heads, width // heads, width // heads), 1 / width),
            ((width, width), 2 / width),
            ((width, 2 * expanded_width), 1 / (2 * width)),
            ((expanded_width, width), 2 / expanded_width),
        )
        norm = RMSNorm(jnp.zeros(width, jnp.float32))
        self.encoder = Encoder(_unbiased(embedding), norm, _unbiased(to_branch), _unbiased(to_recurrence))
        self.gates = Gates(
            conv,
            jnp.zeros(width, jnp.float32),
            gates,
            jnp.zeros((2, width), jnp.float32),
            decay_parameter(decay_key, width, decay_initialization),
        )
        readout = _unbiased(jnp.zeros((width, num_outputs), jnp.float32))
        self.decoder = Decoder(_unbiased(from_recurrence), norm, _unbiased(up), _unbiased(down), norm, readout)
        self.discrete = discrete

    def assemble(self, num_steps: int = 1) -> "AssembledHawk | TabulatedHawk":
        """Return the network ready to evaluate, its weights merged; gradients pass through.

        Args:
            num_steps: how many steps will be evaluated with these weights; it decides whether a table of all windows
                pays, and changes no result beyond rounding.
        """
        conv_width, num_observations = self.gates.conv_weight.shape[0], self.encoder.embedding.weight.shape[0]
        num_windows = sum(num_observations**length for length in range(1, conv_width + 1))
        if self.discrete and conv_width > 1 and num_steps >= 2 * num_windows:
            return TabulatedHawk(self._table_of_windows(), self.decoder, num_observations, conv_width)
        return AssembledHawk(self.encoder, self.gates, self.gates.merged(), self.decoder, self._table(), self.discrete)

    def _table(self) -> Float[Array, "observations three_widths"]:
        """Return the encoder's streams side by side for every observation, if they are discrete."""
        num_observations = self.encoder.embedding.weight.shape[0] if self.discrete else 0
        one_hot = jnp.eye(num_observations, self.encoder.embedding.weight.shape[0], dtype=jnp.float32)
        return jnp.concatenate(self.encoder(one_hot), -1)

    def _table_of_windows(self) -> Float[Array, "windows four_widths"]:
        """Return residual stream, branch, decay and input of the recurrence for every window, in order of length."""
        x, branch, u = jnp.split(self._table(), 3, -1)
        rows = []
        for length in range(1, self.gates.conv_weight.shape[0] + 1):
            # Observations of every window of this length, newest first; the newest is the least significant digit.
            digits = np.indices((x.shape[0],) * length).reshape(length, -1)[::-1]
            absent = [jnp.zeros_like(u[digits[0]])] * (self.gates.conv_weight.shape[0] - length)
            v = self.gates.convolve([u[digit] for digit in digits] + absent)
            fresh = jnp.full(v.shape[:-1], length == 1)
            rows.append(
                jnp.concatenate([x[digits[0]], branch[digits[0]], *self.gates(self.gates.merged(), v, fresh)], -1)
            )
        return jnp.concatenate(rows)


def _windows(x: Array, resets: Array, recent: Array, absent: int) -> tuple[list[Array], Array]:
    """Return x [time, *batch, …] at lags 0, 1, … (`absent` before the last reset) and the new `recent`.

    `recent` [*batch, lags, …] holds the values before the first step, newest first.
    """
    axis, steps = resets.ndim - 1, x.shape[0]
    lags = recent.shape[axis]
    long = jnp.concatenate([jnp.moveaxis(recent, axis, 0)[::-1], x])
    forgets = jnp.concatenate([jnp.zeros((lags, *resets.shape[1:]), bool), resets])
    counts, window = jnp.ones_like(resets), [x]
    for first in reversed(range(lags)):
        counts = counts & ~forgets[first + 1 : first + 1 + steps]
        mask = counts.reshape(*counts.shape, *(1,) * (x.ndim - counts.ndim))
        window.append(jnp.where(mask, long[first : first + steps], absent))
    return window, jnp.stack([values[-1] for values in window[:-1]], axis) if lags else recent


class AssembledHawk(eqx.Module):
    """A network evaluated part by part, encodings of discrete observations from a table."""

    encoder: Encoder
    gates: Gates
    merged: Linear
    decoder: Decoder
    table: Float[Array, "observations three_widths"]
    discrete: bool = eqx.field(static=True)

    def initial_state(self, *batch: int) -> HawkState:
        """Return an empty memory for streams [*batch]."""
        conv_width, width = self.gates.conv_weight.shape
        zeros = jnp.zeros((*batch, width), jnp.float32)
        return HawkState(zeros, jnp.zeros((*batch, conv_width - 1, width), jnp.float32))

    def _encode(self, observations: Array) -> tuple[Array, Array, Array]:
        if not self.discrete:
            return self.encoder(observations.astype(jnp.float32))
        x, branch, inputs = jnp.split(_rows(self.table, observations), 3, -1)
        return x, branch, inputs

    def step(self, observations: Array, resets: Bool[Array, "*batch"], state: HawkState) -> tuple[Array, HawkState]:
        """Advance every stream by one step.

        Args:
            observations: [*batch] integers, or [*batch, features].
            resets: [*batch], true where the stream forgets everything before this step.
            state: the memory of the streams.

        Returns:
            Outputs [*batch, outputs] and the new memory.
        """
        x, branch, u = self._encode(observations)
        past = jnp.where(resets[..., None, None], 0, state.recent)
        v = self.gates.convolve([u, *jnp.moveaxis(past, -2, 0)])
        decay, inputs = self.gates(self.merged, v, resets)
        hidden = decay * state.hidden + inputs
        recent = jnp.concatenate([u[..., None, :], past], -2)[..., : past.shape[-2], :]
        return self.decoder(x, branch, hidden), HawkState(hidden, recent)

    def sequence(
        self, observations: Array, resets: Bool[Array, "time *batch"], state: HawkState
    ) -> tuple[Array, HawkState]:
        """Advance every stream by a whole sequence or a chunk of one.

        Args:
            observations: [time, *batch] integers, or [time, *batch, features].
            resets: [time, *batch], true where the stream forgets everything before that step.
            state: the memory of the streams before the first step.

        Returns:
            Outputs [time, *batch, outputs] and the memory after the last step.
        """
        x, branch, u = self._encode(observations)
        window, recent = _windows(u, resets, state.recent, absent=0)
        decay, inputs = self.gates(self.merged, self.gates.convolve(window), resets)
        hidden = linear_recurrence(decay, inputs, state.hidden)
        return self.decoder(x, branch, hidden), HawkState(hidden[-1], recent)


class TabulatedHawk(eqx.Module):
    """A network on discrete observations that looks up everything before the recurrence by window."""

    table: Float[Array, "windows four_widths"]
    decoder: Decoder
    num_observations: int = eqx.field(static=True)
    conv_width: int = eqx.field(static=True)

    def initial_state(self, *batch: int) -> HawkState:
        """Return an empty memory for streams [*batch]: −1 stands for no observation."""
        hidden = jnp.zeros((*batch, self.table.shape[1] // 4), jnp.float32)
        return HawkState(hidden, jnp.full((*batch, self.conv_width - 1), -1, jnp.int32))

    def _look_up(self, window: list[Int[Array, "*batch"]]) -> list[Float[Array, "*batch width"]]:
        # Absent observations are −1, so that each length of window begins where the shorter ones end.
        places = [(o + 1) * self.num_observations**lag for lag, o in enumerate(window)]
        return jnp.split(_rows(self.table, sum(places[1:], places[0] - 1)), 4, -1)

    def step(self, observations: Array, resets: Bool[Array, "*batch"], state: HawkState) -> tuple[Array, HawkState]:
        """Advance every stream by one step as `AssembledHawk.step` does."""
        past = jnp.where(resets[..., None], -1, state.recent)
        x, branch, decay, inputs = self._look_up([observations, *jnp.moveaxis(past, -1, 0)])
        hidden = decay * state.hidden + inputs
        recent = jnp.concatenate([observations[..., None], past[..., :-1]], -1)
        return self.decoder(x, branch, hidden), HawkState(hidden, recent)

    def sequence(
        self, observations: Array, resets: Bool[Array, "time *batch"], state: HawkState
    ) -> tuple[Array, HawkState]:
        """Advance every stream by a sequence or a chunk of one as `AssembledHawk.sequence` does."""
        window, recent = _windows(observations, resets, state.recent, absent=-1)
        x, branch, decay, inputs = self._look_up(window)
        hidden = linear_recurrence(decay, inputs, state.hidden)
        return self.decoder(x, branch, hidden), HawkState(hidden[-1], recent)


def _rows(table: Float[Array, "rows columns"], which: Int[Array, "*batch"]) -> Float[Array, "*batch columns"]:
    return table.at[which].get(mode="promise_in_bounds")
