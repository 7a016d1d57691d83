"""Figure 4C: mixing the naive gradient into many look-aheads brings cooperation back.

The paper's mixing weights 1, 1, 0.75, 0.6, 0.4 are taken as the share of the LOLA-DiCE gradient. The
quick preset (16 seeds) ends at 0.83 ± 0.02 for 3 look-aheads (0.71 ± 0.04 unmixed), 0.79 ± 0.06 for 10 (0.30 ± 0.06
unmixed) and 0.35 ± 0.10 for 20 (0.13 ± 0.02 unmixed), where some pairs cooperate and more than half defect.

So the paper's finding holds at 3 and 10 look-aheads, which end within 0.03 of the 0.82 of 1 and 2. At 20 it holds in
part: mixing gains 0.22 (two standard errors), and leaves 0.47 to what 1 and 2 look-aheads earn. All of this is after
2000 steps: by 4000 the unmixed pairs with 10 look-aheads have climbed to 0.64 (Figure 4A), so that part of the gain
is speed.
"""

import dataclasses
from collections.abc import Callable

from matplotlib.figure import Figure

from paper_figures import lola_dice
from paper_figures.about import PAPER, About
from paper_figures.run import Arrays

ABOUT = About(
    "4C",
    f"{PAPER}, Figure 4C",
    20,
    lola_dice.ARRAYS,
    remark="departs from the paper at 20 look-aheads: some pairs cooperate, more than half defect, hence the wide band",
)
_MIXED = lola_dice.Settings(steps=2000, naive_weights=(0.0, 0.0, 0.25, 0.4, 0.6))
PRESETS = {"quick": _MIXED, "paper": dataclasses.replace(_MIXED, seeds=64, steps=6000)}


def compute(settings: lola_dice.Settings, seed: int, progress: Callable[[float], None]) -> Arrays:
    """Train pairs with 1, 2, 3, 10 and 20 look-aheads, the naive gradient mixed in."""
    return lola_dice.train(settings, seed, progress)


def plot(arrays: Arrays, settings: lola_dice.Settings) -> Figure:
    """Draw reward over training."""
    pairs = zip(lola_dice.LOOK_AHEADS, settings.naive_weights, strict=True)
    return lola_dice.plot(arrays, settings, [f"{k}, share of LOLA {1 - weight:g}" for k, weight in pairs])
