r"""Sampled LOLA-DiCE with sequence models.

The ego differentiates its return through K look-ahead steps that it imagines the co-player to take,

    ∇_φ J¹(φ, ψ_K),      ψ_{k+1} = ψ_k + η ∇_ψ J²(φ, ψ_k),

every J from B episodes played anew, in DiCE's form, whose derivatives of any order estimate those of the return. Here φ
and ψ are all weights of two networks. The look-ahead steps are noisy, which biases the estimate by O(1/B).

Source: Foerster et al. 2018, "DiCE"; Meulemans et al. 2025, section 4.
"""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Key

from ipd_theory._arguments import checked, hold_fields
from ipd_theory.rl.environment import Environment
from ipd_theory.rl.policies import Experience, Policy, along, chosen
from ipd_theory.rl.rollout import Memories, Sizes, play_episode
from ipd_theory.sampling.dice import dice


@dataclass(frozen=True)
class LolaDice:
    """How far ahead the ego looks.

    Args:
        look_aheads: K.
        step_size: η, on un-normalised returns of one episode.
        batch: B, episodes a return is estimated from.
        episode_length: T.
        discount: γ.
    """

    look_aheads: int = 1
    step_size: float = 1.0
    batch: int = 64
    episode_length: int = 10
    discount: float = 0.96

    def __post_init__(self) -> None:
        hold_fields(self)
        if not 0 <= self.discount <= 1:
            raise ValueError(f"discount must lie in [0, 1]; got {self.discount}")
        if self.look_aheads < 0 or min(self.batch, self.episode_length) < 1:
            raise ValueError(f"look_aheads must be 0 or more, batch and episode_length 1 or more; got {self}")


def _log_probabilities(policy: Policy, seen: Experience) -> Float[Array, "time B"]:
    return chosen(along(policy.ready(seen.actions.size), seen.observations)[0], seen.actions)


@checked
def gradient(
    environment: Environment, ego: Policy, other: Policy, key: Key[Array, ""], settings: LolaDice
) -> tuple[Policy, Float[Array, ""]]:
    """Return the ego's gradient, to be ascended, and its reward a step against the co-player that has moved ahead.

    Args:
        environment: the game.
        ego: player 1's policy φ.
        other: player 2's policy ψ_0.
        key: of all play.
        settings: K, η, B, T and γ.
    """
    sizes = Sizes(settings.batch, 1, settings.episode_length)
    fresh = (jnp.bool_(True), jnp.bool_(True))

    def surrogates(ego: Policy, other: Policy, key: Key[Array, ""]) -> Float[Array, "3"]:
        """Return both players' returns in DiCE's form and the ego's reward a step."""
        steps = sizes.batch * sizes.episode_length
        players = jax.lax.stop_gradient(ego).ready(steps), jax.lax.stop_gradient(other).ready(steps)
        memories = Memories(*(player.initial_state(sizes.batch) for player in players))
        _, record, theirs = play_episode(environment, players, memories, fresh, key, sizes)
        mine = Experience(record.observations, record.actions[:, 0], record.rewards[:, 0])
        joint = (_log_probabilities(ego, mine) + _log_probabilities(other, theirs)).T
        returns = [dice(joint, seen.rewards.T, discount=settings.discount).mean() for seen in (mine, theirs)]
        return jnp.stack([*returns, mine.rewards.mean()])

    def ahead(ego: Policy) -> tuple[Array, Array]:
        moved, *keys = other, *jax.random.split(key, settings.look_aheads + 1)
        for look in keys[:-1]:
            step = jax.grad(lambda other, look=look: surrogates(ego, other, look)[1])(moved)
            moved = jax.tree.map(lambda x, g: x + settings.step_size * g, moved, step)
        mine, _, reward = surrogates(ego, moved, keys[-1])
        return mine, reward

    return jax.grad(ahead, has_aux=True)(ego)
