"""Fast and exact: the only room that knows processors, caches and compilers. What others may use stands here."""

from ipd_theory._engine import chains
from ipd_theory._engine.compilation import compiled, computed_once, varying
from ipd_theory._engine.elimination import censored
from ipd_theory._engine.folding import Columns
from ipd_theory._engine.jumps import (
    argument_of_jumps,
    jump_scale,
    once_differentiable,
    result_of_jumps,
    slopes_or_jumps,
)
from ipd_theory._engine.memory_one import (
    batch_first,
    columns,
    memory_one_gradients,
    memory_one_occupancy,
    memory_one_return,
    memory_one_returns,
    memory_one_value_gaps,
)
from ipd_theory._engine.small_systems import small_solve, symmetric_pseudo_solve
from ipd_theory._engine.solutions import chain_occupancy, chain_returns

__all__ = [
    "Columns",
    "argument_of_jumps",
    "batch_first",
    "censored",
    "chain_occupancy",
    "chain_returns",
    "chains",
    "columns",
    "compiled",
    "computed_once",
    "jump_scale",
    "memory_one_gradients",
    "memory_one_occupancy",
    "memory_one_return",
    "memory_one_returns",
    "memory_one_value_gaps",
    "once_differentiable",
    "result_of_jumps",
    "slopes_or_jumps",
    "small_solve",
    "symmetric_pseudo_solve",
    "varying",
]
