"""The settings of every network that agents are made of; `build.policy` makes an agent of them."""

from dataclasses import dataclass
from typing import Literal

from ipd_theory._arguments import hold_fields


class NetworkSettings:
    """What settings of a network derive from.

    Those of one's own are a frozen dataclass, too, of numbers, words and tuples, with a method
    `build(key, environment)` that returns a fresh `policies.Policy`, all of its parameters arrays, for an environment
    whose `num_observations`, `discrete` and `num_actions` say what goes in and comes out.
    """


@dataclass(frozen=True)
class HawkSettings(NetworkSettings):
    """Hawk, a gated linear recurrence between an embedding and a gated MLP (De et al. 2024); actor and critic in one.

    Args:
        width: Width of the residual stream and of the recurrence.
        heads: Diagonal blocks of the recurrence's gates.
        expanded_width: Width inside the gated MLP.
        conv_width: Steps that the temporal convolution sees.
        decay_initialization: `squared` as the public Hawk code draws decays, `effective` as its paper words it.
    """

    width: int = 32
    heads: int = 2
    expanded_width: int = 32
    conv_width: int = 4
    decay_initialization: Literal["squared", "effective"] = "squared"

    def __post_init__(self) -> None:
        hold_fields(self)
        for name in ("width", "heads", "expanded_width", "conv_width"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be 1 or more; got {getattr(self, name)}")
        if self.width % self.heads:
            raise ValueError(f"heads must divide width={self.width}; got {self.heads}")


@dataclass(frozen=True)
class GRUSettings(NetworkSettings):
    """A gated recurrent unit behind an embedding (Cho et al. 2014), with a hidden layer each for actor and critic.

    Args:
        width: Width of the embedding, of the recurrence and of the hidden layers.
    """

    width: int = 32

    def __post_init__(self) -> None:
        hold_fields(self)
        if self.width < 1:
            raise ValueError(f"width must be 1 or more; got {self.width}")


NETWORKS = (HawkSettings, GRUSettings)
