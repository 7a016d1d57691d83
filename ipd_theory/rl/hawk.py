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
at once and one cheap scan for h. Before the recurrence each step stands alone; if observations are integers
(k stands for the one-hot vector e_k) that part of the network is a table with one row an observation.
"""

import functools
from typing import Literal, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Key

DecayInitialization = Literal["squared", "effective"]
DECAY_SCALE = 8.0
DECAY_RANGE = (0.9, 0.999)

gelu = functools.partial(jax.nn.gelu, approximate=True)


def _normal(key: Key[Array, ""], shape: tuple[int, ...], variance: float) -> Array:
    return jax.random.normal(key, shape, jnp.float32) * variance**0.5


class Linear(eqx.Module):
    """x ↦ x W + b over the last axis."""

    weight: Float[Array, "inputs outputs"]
    bias: Float[Array, " outputs"]

    @staticmethod
    def create(key: Key[Array, ""], inputs: int, outputs: int, variance: float) -> "Linear":
        """Return a layer with normal weights of the given variance and zero biases."""
        return Linear(_normal(key, (inputs, outputs), variance), jnp.zeros(outputs, jnp.float32))

    def __call__(self, x: Float[Array, "*batch inputs"]) -> Float[Array, "*batch outputs"]:
        """Return x W + b."""
        return x @ self.weight + self.bias


class RMSNorm(eqx.Module):
    """x ↦ (1 + scale) x / √(mean x² + 1e-6) over the last axis."""

    scale: Float[Array, " width"]

    def __call__(self, x: Float[Array, "*batch width"]) -> Float[Array, "*batch width"]:
        """Return the normalised x."""
        return x * jax.lax.rsqrt(jnp.mean(x * x, -1, keepdims=True) + 1e-6) * (1 + self.scale)


@jax.custom_jvp
def _bounded_sqrt(x: Array) -> Array:
    """√x whose derivative is kept below 1000: √(1 − a²) is steep where a unit forgets nothing."""
    return jnp.sqrt(x)


@_bounded_sqrt.defjvp
def _bounded_sqrt_jvp(primals: tuple[Array], tangents: tuple[Array]) -> tuple[Array, Array]:
    root = jnp.sqrt(primals[0])
    return root, tangents[0] * 0.5 / jnp.maximum(root, 0.5e-3)


def _linear_recurrence(decay: Array, inputs: Array, start: Array) -> Array:
    """Return h_t = decay_t h_{t−1} + inputs_t for every t of the leading axis, from h_{−1} = start."""

    def step(h: Array, at: tuple[Array, Array]) -> tuple[Array, Array]:
        h = at[0] * h + at[1]
        return h, h

    return jax.lax.scan(step, start, (decay, inputs), unroll=min(8, decay.shape[0]))[1]


def _decay_parameter(key: Key[Array, ""], width: int, initialization: DecayInitialization) -> Float[Array, " width"]:
    """Return Λ such that e^{−2 softplus(Λ)} or e^{−8 softplus(Λ)} is uniform on the range of initial decays."""
    low, high = DECAY_RANGE
    uniform = jax.random.uniform(key, (width,), jnp.float32)
    if initialization == "squared":
        log_decay = 0.5 * jnp.log(low**2 + uniform * (high**2 - low**2))
    elif initialization == "effective":
        log_decay = jnp.log(low + uniform * (high - low)) / DECAY_SCALE
    else:
        raise ValueError(f"decay_initialization must be 'squared' or 'effective'; got {initialization!r}")
    return jnp.log(jnp.expm1(-log_decay))


class HawkState(NamedTuple):
    """What one stream remembers: the hidden units and the last inputs of the convolution, newest first."""

    hidden: Float[Array, "*batch width"]
    inputs: Float[Array, "*batch lags width"]


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

    encoder: Linear
    recurrent_norm: RMSNorm
    to_branch: Linear
    to_recurrence: Linear
    conv_weight: Float[Array, "conv_width width"]
    conv_bias: Float[Array, " width"]
    gate_weight: Float[Array, "2 heads block block"]
    gate_bias: Float[Array, "2 width"]
    decay_parameter: Float[Array, " width"]
    from_recurrence: Linear
    mlp_norm: RMSNorm
    mlp_up: Linear
    mlp_down: Linear
    final_norm: RMSNorm
    readout: Linear
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
        keys = iter(jax.random.split(key, 9))
        # The variances of the reference implementation at depth 1, its fan-in counting all blocks of a weight.
        self.encoder = Linear.create(next(keys), num_observations, width, 1 / num_observations)
        self.to_branch = Linear.create(next(keys), width, width, 1 / width)
        self.to_recurrence = Linear.create(next(keys), width, width, 1 / width)
        self.conv_weight = _normal(next(keys), (conv_width, width), 0.01 / conv_width)
        self.conv_bias = jnp.zeros(width, jnp.float32)
        self.gate_weight = _normal(next(keys), (2, heads, width // heads, width // heads), 1 / width)
        self.gate_bias = jnp.zeros((2, width), jnp.float32)
        self.decay_parameter = _decay_parameter(next(keys), width, decay_initialization)
        self.from_recurrence = Linear.create(next(keys), width, width, 2 / width)
        self.mlp_up = Linear.create(next(keys), width, 2 * expanded_width, 1 / (2 * width))
        self.mlp_down = Linear.create(next(keys), expanded_width, width, 2 / expanded_width)
        self.recurrent_norm = self.mlp_norm = self.final_norm = RMSNorm(jnp.zeros(width, jnp.float32))
        self.readout = Linear(jnp.zeros((width, num_outputs), jnp.float32), jnp.zeros(num_outputs, jnp.float32))
        self.discrete = discrete

    def initial_state(self, *batch: int) -> HawkState:
        """Return an empty memory for streams [*batch]."""
        lags, width = self.conv_weight.shape[0] - 1, self.conv_weight.shape[1]
        return HawkState(jnp.zeros((*batch, width), jnp.float32), jnp.zeros((*batch, lags, width), jnp.float32))

    def assemble(self) -> "AssembledHawk":
        """Return the network with its weights merged for evaluation; gradients pass through."""
        blocks = [jax.scipy.linalg.block_diag(*gate) for gate in self.gate_weight]
        gates = Linear(jnp.concatenate(blocks, 1), self.gate_bias.reshape(-1))
        width = self.conv_weight.shape[1]
        everything: Array = self.encoder.weight if self.discrete else jnp.zeros((0, width), jnp.float32)
        table = jnp.concatenate(self.encode(everything + self.encoder.bias), -1)
        return AssembledHawk(self, gates, table)

    def encode(self, x: Float[Array, "*batch width"]) -> tuple[Array, Array, Array]:
        """Return the residual stream, the multiplicative branch and the recurrence's input, each [*batch, width]."""
        normed = self.recurrent_norm(x)
        return x, gelu(self.to_branch(normed)), self.to_recurrence(normed)

    def decode(self, x: Array, branch: Array, hidden: Array) -> Array:
        """Return the readout [*batch, outputs] from the three vectors [*batch, width] after the recurrence."""
        x = x + self.from_recurrence(branch * hidden)
        first, second = jnp.split(self.mlp_up(self.mlp_norm(x)), 2, -1)
        x = x + self.mlp_down(gelu(first) * second)
        return self.readout(self.final_norm(x))


class AssembledHawk(eqx.Module):
    """A Hawk network ready to evaluate, one step or a whole sequence at a time."""

    parameters: Hawk
    gates: Linear
    table: Float[Array, "observations three_widths"]

    def _encode(self, observations: Array) -> tuple[Array, Array, Array]:
        if not self.parameters.discrete:
            return self.parameters.encode(self.parameters.encoder(observations))
        picks = jax.nn.one_hot(observations, self.table.shape[0], dtype=jnp.float32)
        x, branch, inputs = jnp.split(picks @ self.table, 3, -1)
        return x, branch, inputs

    def _gate(self, v: Array, reset: Array) -> tuple[Array, Array]:
        """Return the decay and the input of the recurrence, for convolved inputs v [*batch, width]."""
        recurrence, input_gate = jnp.split(jax.nn.sigmoid(self.gates(v)), 2, -1)
        log_decay = -DECAY_SCALE * recurrence * jax.nn.softplus(self.parameters.decay_parameter)
        scale = _bounded_sqrt(-jnp.expm1(2 * log_decay))
        fresh = reset[..., None]
        return jnp.where(fresh, 0, jnp.exp(log_decay)), jnp.where(fresh, 1, scale) * input_gate * v

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
        past = jnp.where(resets[..., None, None], 0, state.inputs)
        window = jnp.concatenate([u[..., None, :], past], -2)
        v = (window * self.parameters.conv_weight).sum(-2) + self.parameters.conv_bias
        decay, inputs = self._gate(v, resets)
        hidden = decay * state.hidden + inputs
        return self.parameters.decode(x, branch, hidden), HawkState(hidden, window[..., :-1, :])

    def sequence(
        self, observations: Array, resets: Bool[Array, "time *batch"], state: HawkState
    ) -> tuple[Array, HawkState]:
        """Advance every stream by a whole sequence, or by a chunk of one.

        Args:
            observations: [time, *batch] integers, or [time, *batch, features].
            resets: [time, *batch], true where the stream forgets everything before that step.
            state: the memory of the streams before the first step.

        Returns:
            Outputs [time, *batch, outputs] and the memory after the last step.
        """
        x, branch, u = self._encode(observations)
        v, window = self._convolve(u, resets, state.inputs)
        decay, inputs = self._gate(v, resets)
        hidden = _linear_recurrence(decay, inputs, state.hidden)
        return self.parameters.decode(x, branch, hidden), HawkState(hidden[-1], window)

    def _convolve(self, u: Array, resets: Array, past: Array) -> tuple[Array, Array]:
        """Return the convolved inputs [time, *batch, width] and the last inputs, newest first, that still count."""
        weight = self.parameters.conv_weight
        lags, steps = past.shape[-2], u.shape[0]
        long = jnp.concatenate([jnp.moveaxis(past, -2, 0)[::-1], u])
        forgets = jnp.concatenate([jnp.zeros((lags, *resets.shape[1:]), bool), resets])
        v = weight[0] * u + self.parameters.conv_bias
        reachable = jnp.ones_like(resets)
        window = []
        for lag in range(1, lags + 1):
            reachable = reachable & ~forgets[lags - lag + 1 : lags - lag + 1 + steps]
            v = v + weight[lag] * jnp.where(reachable[..., None], long[lags - lag : lags - lag + steps], 0)
        alive = jnp.ones_like(resets[0])
        for age in range(lags):
            window.append(jnp.where(alive[..., None], long[-1 - age], 0))
            alive = alive & ~forgets[-1 - age]
        return v, jnp.stack(window, -2) if lags else past
