"""Every learning rule of the field, exact, on one interface: see `base` for what a rule is and how one is written.

What a module in here defines is a name of this package, and enters tournaments by the names in its `BY_NAME`.
"""

from typing import TYPE_CHECKING

from ipd_theory._lazy import loading

if TYPE_CHECKING:
    from ipd_theory.learning.rules.anticipation import *  # noqa: F403
    from ipd_theory.learning.rules.base import *  # noqa: F403
    from ipd_theory.learning.rules.gradients import *  # noqa: F403
    from ipd_theory.learning.rules.proximal import *  # noqa: F403
    from ipd_theory.learning.rules.q_aware import *  # noqa: F403

__getattr__, __dir__ = loading(__name__, definitions=True)
