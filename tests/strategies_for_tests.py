"""Hypothesis strategies for batches of probabilities that seek out the corners."""

import numpy as np
from hypothesis import strategies as st

CORNERS = np.array([0.0, 1.0, 1e-7, 1 - 1e-7, 0.5])
discount = st.sampled_from([0.0, 0.5, 0.95, 1 - 1e-6, 1 - 1e-10, 1.0]) | st.floats(0, 1)


def _draw(seed: int, corner_share: float, shape: tuple[int, ...]) -> np.ndarray:
    rng = np.random.default_rng(seed)
    at_corner = rng.random(shape) < corner_share
    return np.where(at_corner, rng.choice(CORNERS, shape), rng.random(shape))


def tables(*shape: int) -> st.SearchStrategy[np.ndarray]:
    """Arrays of probabilities of this shape; the share of entries at or next to a corner varies from 0 to 1."""
    return st.builds(_draw, st.integers(0, 2**32), st.sampled_from([0.0, 0.5, 0.9, 1.0]), st.just(shape))
