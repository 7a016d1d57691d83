"""The settings that `train` and `shaper` start from, each by the name of its preset."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Annotated, Any

import tyro

from ipd_theory.rl.config import Config


@dataclass(frozen=True)
class Chosen:
    """Settings that were chosen on the command line.

    Args:
        config: The preset's, with what was changed by options.
        preset: Its name.
    """

    config: Annotated[Config, tyro.conf.arg(name="")]
    preset: tyro.conf.Suppress[str]


def options(presets: Mapping[str, Config]) -> Any:
    """Return the type of a command's argument that makes every preset a word and its settings options."""
    chosen = {name: Chosen(config, name) for name, config in presets.items()}
    return tyro.extras.subcommand_type_from_defaults(chosen, prefix_names=False)


def with_own(config: Config, environment: str | None, network: str | None) -> Config:
    """Return settings with an environment or a network of the user's own class, at its defaults, where one is named.

    Raises:
        ValueError: if FILE.py:CLASS or MODULE:CLASS names none, or it has settings without a default.
    """
    from ipd_theory.rl.tagging import load_class

    own = {}
    for name, place in (("environment", environment), ("network", network)):
        if place is not None:
            try:
                own[name] = load_class(place)()
            except ValueError as error:
                raise ValueError(f"--own-{name}: {error}") from error
            except TypeError as error:
                raise ValueError(f"--own-{name}: {place!r}: {error}") from error
    return replace(config, **own)
