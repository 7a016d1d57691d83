"""What is said of a figure: its name, its source, what its data means, and where it departs from the paper."""

import dataclasses
import fnmatch
import textwrap
from collections.abc import Mapping
from typing import Any

PAPER = "Meulemans et al., ICLR 2025"
OURS = "our own"
SYMBOLS = {
    "discount": "γ",
    "discounts": "γ",
    "learner_step": "η",
    "learning_rate": "η",
    "step": "η",
    "naive_step": "η of the naive learner",
    "num_inner_episodes": "M",
    "inner_episodes": "M",
    "batch_size": "B",
    "batch_sizes": "B",
    "p_naive": "p_naive",
    "log2_points": "log₂ points",
    "log2_learners": "log₂ learners",
}


@dataclasses.dataclass(frozen=True)
class About:
    """What a figure's module says of it, in its constant `ABOUT`.

    Args:
        name: by which the figure is asked for.
        source: where it stands in the paper, or `OURS`.
        seconds: what the quick preset takes on two cores.
        arrays: the axes and the unit of each array of its data, by name or pattern (`* reward`).
        remark: where the quick preset's picture of seed 0 departs from the paper's or would surprise; drawn below it.
        keeps: subfolder of the figures' folder where `compute`, given it as its last argument, keeps unfinished work.
        recorded: the figure shows training runs of seeds of their own; no other seed can be asked for.
    """

    name: str
    source: str
    seconds: float
    arrays: Mapping[str, tuple[str, str]]
    remark: str = ""
    keeps: str = ""
    recorded: bool = False

    def remark_on(self, preset: str, seed: int) -> bool:
        """Return whether there is a remark, and it is on the picture of this preset and seed."""
        return bool(self.remark) and (preset, seed) == ("quick", 0)

    def array(self, name: str) -> dict[str, Any]:
        """Return the axes and the unit of an array.

        Raises:
            KeyError: if nothing is said of it.
        """
        for pattern, (axes, unit) in self.arrays.items():
            if fnmatch.fnmatchcase(name, pattern):
                return {"axes": axes.split(), "unit": unit}
        raise KeyError(f"figure {self.name} says nothing of its array {name!r}")


def settings_in_words(settings: Any) -> str:
    """Return a settings dataclass in one line: γ 0.95; η 5; M 20; seeds 8."""
    words = []
    for field in dataclasses.fields(settings):
        value = getattr(settings, field.name)
        if value not in ("", ()):
            words.append(f"{SYMBOLS.get(field.name, field.name.replace('_', ' '))} {_value(value)}")
    return "; ".join(words)


def _value(value: Any) -> str:
    if isinstance(value, tuple):
        if len(value) > 6:
            return f"{_value(value[0])} … {_value(value[-1])}"
        return ", ".join(f"({_value(x)})" if isinstance(x, tuple) and len(x) > 1 else _value(x) for x in value)
    return f"{value:g}" if isinstance(value, float) else str(value)


def caption(about: About, docstring: str, preset: str, seed: int, settings: Any) -> str:
    """Return the text that is kept beside a picture: what it shows, where it departs from the paper, its settings."""
    made = f"Preset {preset}" + ("" if about.recorded else f", seed {seed}")
    parts = [docstring.strip(), f"Source: {about.source}."]
    if about.remark_on(preset, seed):
        parts.append(textwrap.fill(f"On the picture: {about.remark}", 110))
    parts.append(textwrap.fill(f"{made}: {settings_in_words(settings)}.", 110))
    arrays = [f"  {name}: {axes or 'a number'} ({unit})" for name, (axes, unit) in about.arrays.items()]
    parts.append("\n".join(["Arrays of the data, with their axes and units:", *arrays]))
    return "\n\n".join(parts) + "\n"
