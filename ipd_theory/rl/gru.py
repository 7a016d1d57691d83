r"""A network of gated recurrent units between an embedding and two small heads, as PureJaxRL's `ppo_rnn` has it.

With e = relu(x W_e), one step takes the hidden units h to u ⊙ h + (1 − u) ⊙ n, where

    r = σ(e W_r + b_r + h U_r),      u = σ(e W_u + b_u + h U_u),      n = tanh(e W_n + b_n + r ⊙ (h U_n)),

from h = 0 at a reset. Actor and critic each read h through one hidden layer.

Source: Cho et al. 2014; Lu et al. 2022 (PureJaxRL).
"""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Key

from ipd_theory._arguments import checked
from ipd_theory._checks import whole

Head = tuple[Float[Array, "width width"], Float[Array, "width outputs"]]


class GRU(eqx.Module):
    """The parameters of the network, ready to evaluate as they are.

    Args:
        key: the key of the initial weights.
        num_observations: how many different observations, or features of one observation, there are.
        num_outputs: logits and a value; all small at first.
        width: of the embedding, of the recurrence and of the heads' hidden layers.
        discrete: whether observations are integers that stand for one-hot vectors, or vectors of features.

    Raises:
        ValueError: if a size is too small.
    """

    embedding: Float[Array, "observations width"]
    to_gates: Float[Array, "width three_widths"]
    from_hidden: Float[Array, "width three_widths"]
    bias: Float[Array, " three_widths"]
    actor: Head
    critic: Head
    discrete: bool = eqx.field(static=True)

    @checked
    def __init__(
        self, key: Key[Array, ""], num_observations: int, num_outputs: int, width: int = 32, discrete: bool = True
    ) -> None:
        for name, size, least in (
            ("num_observations", num_observations, 1), ("num_outputs", num_outputs, 2), ("width", width, 1),
        ):  # fmt: skip
            whole(name, size, least)
        keys = iter(jax.random.split(key, 7))

        def dense(*shape: int, gain: float = 1.0) -> Array:
            return gain * jax.random.normal(next(keys), shape, jnp.float32) / shape[0] ** 0.5

        self.embedding = dense(num_observations, width)
        self.to_gates, self.from_hidden = dense(width, 3 * width), dense(width, 3 * width)
        self.bias = jnp.zeros(3 * width, jnp.float32)
        self.actor = (dense(width, width), dense(width, num_outputs - 1, gain=0.01))
        self.critic = (dense(width, width), dense(width, 1, gain=0.01))
        self.discrete = discrete

    def ready(self, steps: int = 1) -> "GRU":
        """Return itself."""
        return self

    def initial_state(self, *batch: int) -> Float[Array, "*batch width"]:
        """Return an empty memory for streams [*batch]; their first step is a reset."""
        return jnp.zeros((*batch, self.embedding.shape[1]), jnp.float32)

    def step(
        self, observations: Array, resets: Bool[Array, "*batch"], state: Float[Array, "*batch width"]
    ) -> tuple[Array, Array]:
        """Advance every stream by one step; arguments and results are those of `policies.ReadyNetwork`."""
        hidden = self._cell(self._embed(observations), resets, state)
        return self._heads(hidden), hidden

    def sequence(
        self, observations: Array, resets: Bool[Array, "time *batch"], state: Float[Array, "*batch width"]
    ) -> tuple[Array, Array]:
        """Advance every stream by a sequence: the cell step by step, embedding and heads over all steps at once."""

        def step(hidden: Array, at: tuple[Array, Array]) -> tuple[Array, Array]:
            hidden = self._cell(*at, hidden)
            return hidden, hidden

        last, hidden = jax.lax.scan(step, state, (self._embed(observations), resets))
        return self._heads(hidden), last

    def _embed(self, observations: Array) -> Array:
        if self.discrete:
            observations = jax.nn.one_hot(observations, self.embedding.shape[0], dtype=jnp.float32)
        return jax.nn.relu(observations.astype(jnp.float32) @ self.embedding)

    def _cell(self, embedded: Array, resets: Array, hidden: Array) -> Array:
        hidden = jnp.where(resets[..., None], 0, hidden)
        from_input = jnp.split(embedded @ self.to_gates + self.bias, 3, -1)
        from_hidden = jnp.split(hidden @ self.from_hidden, 3, -1)
        reset, update = (jax.nn.sigmoid(a + b) for a, b in zip(from_input[:2], from_hidden[:2], strict=True))
        return update * hidden + (1 - update) * jnp.tanh(from_input[2] + reset * from_hidden[2])

    def _heads(self, hidden: Array) -> Array:
        return jnp.concatenate([jax.nn.relu(hidden @ first) @ last for first, last in (self.actor, self.critic)], -1)
