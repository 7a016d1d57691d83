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
before the recurrence is a function of the last few of them, the window of the convolution, and linear up to the
gates' logits: one product of the window's one-hot vectors with a table of what each observation adds at each lag
(`ByLag`). With few observations and many steps it is evaluated once a window and looked up (`ByWindow`: 5
observations and a convolution of width 4 have 5 + 25 + 125 + 625 windows, the short ones for the steps after a reset).
"""

import math
from typing import NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, Key, Shaped

from ipd_theory._arguments import checked
from ipd_theory._checks import whole
from ipd_theory.rl.hawk_layers import (
    DecayInitialization,
    Decoder,
    Encoder,
    Gates,
    Linear,
    RMSNorm,
    decay_parameter,
    product,
    recurrence_terms,
)
from ipd_theory.rl.recurrence import linear_recurrence


def _unbiased(weight: Float[Array, "inputs outputs"]) -> Linear:
    return Linear(weight, jnp.zeros(weight.shape[1], jnp.float32))


def _normals(key: Key[Array, ""], *wanted: tuple[tuple[int, ...], float]) -> list[Array]:
    """Return normal arrays of the given shapes and variances, cut from one draw, which compiles quickest."""
    sizes = [math.prod(shape) for shape, _ in wanted]
    flat = jax.random.normal(key, (sum(sizes),), jnp.float32)
    parts = jnp.split(flat, np.cumsum(sizes)[:-1])
    return [part.reshape(shape) * variance**0.5 for part, (shape, variance) in zip(parts, wanted, strict=True)]


class Hawk(eqx.Module):
    """The parameters of the network; `ready` makes it ready to evaluate.

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

    @checked
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
        sizes = {
            "num_observations": num_observations, "num_outputs": num_outputs, "width": width, "heads": heads,
            "expanded_width": expanded_width, "conv_width": conv_width,
        }  # fmt: skip
        for name, size in sizes.items():
            whole(name, size, 1)
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

    def ready(self, steps: int = 1) -> "ReadyHawk":
        """Return the network ready to evaluate, its weights merged; gradients pass through.

        Args:
            steps: how many steps will be evaluated with these weights; it decides whether a table of all windows
                pays, and changes no result beyond rounding.
        """
        if not self.discrete:
            return ReadyHawk(Features(self.encoder, self.gates, self.gates.merged()), self.decoder)
        by_lag = self._by_lag()
        num_observations = self.encoder.embedding.weight.shape[0]
        num_windows = sum(num_observations**length for length in range(1, by_lag.lags + 1))
        pays = by_lag.lags > 1 and steps >= 2 * num_windows
        return ReadyHawk(by_lag.tabulated() if pays else by_lag, self.decoder)

    def _by_lag(self) -> "ByLag":
        """Return what an observation adds to the streams and to the gates' logits at each lag of the window."""
        x, branch, u = self.encoder(jnp.eye(self.encoder.embedding.weight.shape[0], dtype=jnp.float32))
        v = self.gates.conv_weight[:, None] * u
        v = v.at[0].add(self.gates.conv_bias)  # every window has an observation at lag 0
        merged = self.gates.merged()
        logits = product(v, merged.weight).at[0].add(merged.bias)
        earlier = ((0, v.shape[0] - 1), (0, 0), (0, 0))
        now = jnp.pad(jnp.concatenate([x, branch], -1)[None], earlier)
        return ByLag(v.shape[0], jnp.concatenate([now, v, logits], -1), self.gates.decay_parameter)


class Terms(NamedTuple):
    """What the recurrence and the decoder need of every step: residual stream, multiplicative branch, decay, input."""

    x: Float[Array, "*batch width"]
    branch: Float[Array, "*batch width"]
    decay: Float[Array, "*batch width"]
    inputs: Float[Array, "*batch width"]


class Features(eqx.Module):
    """Everything before the recurrence, of vectors of features; what it remembers is the convolution's input."""

    encoder: Encoder
    gates: Gates
    merged: Linear

    def nothing(self, *batch: int) -> tuple[Array, ...]:
        """Return what is remembered of no past."""
        lags, width = self.gates.conv_weight.shape
        return (jnp.zeros((*batch, width), jnp.float32),) * (lags - 1)

    def encode(self, observations: Shaped[Array, "*batch features"]) -> tuple[Array, tuple[Array, ...]]:
        """Return what is to be remembered, and the streams that need no memory."""
        x, branch, u = self.encoder(observations.astype(jnp.float32))
        return u, (x, branch)

    def __call__(self, window: list[Array], streams: tuple[Array, ...], fresh: Bool[Array, "*batch"]) -> Terms:
        """Return the terms of the inputs at lags 0, 1, …, zero where there is nothing."""
        v = sum((w * u for w, u in zip(self.gates.conv_weight, window, strict=True)), self.gates.conv_bias)
        x, branch = streams
        return Terms(x, branch, *recurrence_terms(self.gates.decay_parameter, v, self.merged(v), fresh))


class _Observed(eqx.Module):
    """What remembers the last few observations themselves, −1 where there is none."""

    lags: int = eqx.field(static=True)

    def nothing(self, *batch: int) -> tuple[Array, ...]:
        """Return what is remembered of no past."""
        return (jnp.full(batch, -1, jnp.int32),) * (self.lags - 1)

    def encode(self, observations: Int[Array, "*batch"]) -> tuple[Array, tuple[Array, ...]]:
        """Return what is to be remembered: the observations."""
        return observations.astype(jnp.int32), ()


class ByLag(_Observed):
    """Everything before the recurrence, of integers, as a sum over the window: an observation's row for each lag."""

    table: Float[Array, "lags observations five_widths"]
    decay_parameter: Float[Array, " width"]

    def __call__(
        self, window: list[Int[Array, "*batch"]], streams: tuple[Array, ...], fresh: Bool[Array, "*batch"]
    ) -> Terms:
        """Return the terms of the observations at lags 0, 1, …"""
        lags, num_observations, columns = self.table.shape
        present = jax.nn.one_hot(jnp.stack(window, -1), num_observations, dtype=jnp.float32)
        rows = product(present.reshape(*fresh.shape, lags * num_observations), self.table.reshape(-1, columns))
        width = columns // 5
        x, branch, v, logits = jnp.split(rows, (width, 2 * width, 3 * width), -1)
        return Terms(x, branch, *recurrence_terms(self.decay_parameter, v, logits, fresh))

    def tabulated(self) -> "ByWindow":
        """Return the same as a table of all windows, in order of length."""
        lags, num_observations, columns = self.table.shape
        lengths = range(1, lags + 1)
        # The newest observation comes first, and is the least significant digit.
        present = [np.indices((num_observations,) * length).reshape(length, -1)[::-1] for length in lengths]
        windows = [np.pad(digits, ((0, lags - len(digits)), (0, 0)), constant_values=-1) for digits in present]
        window = list(jnp.asarray(np.concatenate(windows, 1), jnp.int32))
        terms = self(window, (), window[1] < 0)
        return ByWindow(lags, self.table[0, :, : 2 * columns // 5], jnp.concatenate([terms.decay, terms.inputs], -1))


class ByWindow(_Observed):
    """Everything before the recurrence, of integers, looked up: streams by the newest, terms by window."""

    newest: Float[Array, "observations two_widths"]
    table: Float[Array, "windows two_widths"]

    def __call__(
        self, window: list[Int[Array, "*batch"]], streams: tuple[Array, ...], fresh: Bool[Array, "*batch"]
    ) -> Terms:
        """Return the terms of the observations at lags 0, 1, …; the window tells whether it is fresh."""
        # Absent observations are −1, so that each length of window begins where the shorter ones end.
        places = [(o + 1) * self.newest.shape[0] ** lag for lag, o in enumerate(window)]
        rows = (_rows(self.newest, window[0]), _rows(self.table, sum(places[1:], places[0] - 1)))
        return Terms(*(part for two in rows for part in jnp.split(two, 2, -1)))


def _rows(table: Float[Array, "rows columns"], which: Int[Array, "*batch"]) -> Float[Array, "*batch columns"]:
    return table.at[which].get(mode="promise_in_bounds")


class HawkState(NamedTuple):
    """What streams remember: the hidden units, and what the convolution's window needs, newest first."""

    hidden: Float[Array, "*batch width"]
    recent: tuple[Array, ...]


class ReadyHawk(eqx.Module):
    """A network ready to evaluate."""

    front: Features | ByLag | ByWindow
    decoder: Decoder

    def initial_state(self, *batch: int) -> HawkState:
        """Return an empty memory for streams [*batch]; their first step is a reset."""
        width = self.decoder.from_recurrence.weight.shape[0]
        return HawkState(jnp.zeros((*batch, width), jnp.float32), self.front.nothing(*batch))

    def step(self, observations: Array, resets: Bool[Array, "*batch"], state: HawkState) -> tuple[Array, HawkState]:
        """Advance every stream by one step.

        Args:
            observations: [*batch] integers, or [*batch, features].
            resets: [*batch], true where the stream forgets everything before this step.
            state: the memory of the streams.

        Returns:
            Outputs [*batch, outputs] and the new memory.
        """
        now, streams = self.front.encode(observations)
        past = [_or_absent(before, ~resets) for before in state.recent]
        terms = self.front([now, *past], streams, resets)
        hidden = terms.decay * state.hidden + terms.inputs
        recent = (now, *past)[: len(past)]
        return self.decoder(terms.x, terms.branch, hidden), HawkState(hidden, recent)

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
        now, streams = self.front.encode(observations)
        window = _windows(now, resets, state.recent)
        terms = self.front(window, streams, resets)
        hidden = linear_recurrence(terms.decay, terms.inputs, state.hidden)
        recent = tuple(values[-1] for values in window[:-1])
        return self.decoder(terms.x, terms.branch, hidden), HawkState(hidden[-1], recent)


def _or_absent(values: Array, present: Bool[Array, "*batch"]) -> Array:
    """Return values [*batch, …] where they are present; elsewhere features are zero and observations are −1."""
    absent = -1 if jnp.issubdtype(values.dtype, jnp.integer) else 0
    return jnp.where(present.reshape(*present.shape, *(1,) * (values.ndim - present.ndim)), values, absent)


def _windows(now: Array, resets: Bool[Array, "time *batch"], recent: tuple[Array, ...]) -> list[Array]:
    """Return values [time, *batch, …] at lags 0, 1, …, absent before the last reset; `recent` came before them all."""
    steps, lags = now.shape[0], len(recent)
    long = jnp.concatenate([*(before[None] for before in reversed(recent)), now])
    forgets = jnp.concatenate([jnp.zeros((lags, *resets.shape[1:]), bool), resets])
    present, window = jnp.ones_like(resets), [now]
    for first in reversed(range(lags)):
        present = present & ~forgets[first + 1 : first + 1 + steps]
        window.append(_or_absent(long[first : first + steps], present))
    return window
