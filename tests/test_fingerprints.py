"""Fingerprints against closed forms of the literature, and against the transforms as they are defined."""

import numpy as np
import pytest

import ipd_theory as ipd
from ipd_theory import automata, fingerprints, strategies

AXELROD = ipd.games.axelrod()


def joss_ann(probe: np.ndarray, x: float, y: float) -> np.ndarray:
    return x + (1 - x - y) * probe


def test_the_square_is_the_transform_of_the_probe_and_of_its_dual() -> None:
    found = fingerprints.fingerprint(AXELROD, strategies.win_stay_lose_shift(), points=9)
    tft = np.asarray(strategies.tit_for_tat())
    for j, y in enumerate(found.axis):
        for i, x in enumerate(found.axis):
            other = joss_ann(tft, x, y) if x + y <= 1 else joss_ann(1 - tft, 1 - y, 1 - x)
            score = ipd.expected_returns(AXELROD, strategies.win_stay_lose_shift(), other, discount=1.0)[0]
            assert float(found.scores[j, i]) == pytest.approx(float(score), abs=1e-12)


def test_closed_forms() -> None:
    """Ashlock & Kim 2008: ALLC 3 − 3y, ALLD 1 + 4x, TFT (3x² + 5xy + y²)/(x + y)², payoffs 3, 0, 5, 1."""
    tables = np.stack([strategies.named(name) for name in ("ALLC", "ALLD", "TFT")])
    found = fingerprints.fingerprint(AXELROD, tables, points=9)
    y, x = np.meshgrid(found.axis, found.axis, indexing="ij")
    off = (x + y) > 0
    expected = [3 - 3 * y, 1 + 4 * x, (3 * x**2 + 5 * x * y + y**2) / np.where(off, x + y, 1) ** 2]
    for scores, wanted in zip(found.scores, expected, strict=True):
        np.testing.assert_allclose(np.asarray(scores)[off], wanted[off], atol=1e-12)
    assert float(found.scores[2, 0, 0]) == 3.0  # tit for tat meets itself and keeps the peace


def test_automata_have_them_too() -> None:
    table = strategies.tit_for_two_tats()
    machine = fingerprints.fingerprint(AXELROD, automata.of_table(table), discount=0.9, points=3)
    np.testing.assert_allclose(
        machine.scores, fingerprints.fingerprint(AXELROD, table, discount=0.9, points=3).scores, atol=1e-12
    )
    with pytest.raises(ValueError, match="points must be a whole number, 2 or more; got 1"):
        fingerprints.fingerprint(AXELROD, table, points=1)
