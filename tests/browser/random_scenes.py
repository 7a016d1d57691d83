"""Addresses of the explorer with every field of a scene drawn anew, and the numbers that a page shows there."""

from typing import Any

import numpy as np

NAMED = ("ALLC", "ALLD", "TFT", "WSLS", "GRIM", "GTFT(0.2)", "FBF", "RANDOM(0.7)", "STFT", "ALT", "ATFT")

FIELDS = """id => Object.fromEntries(Explorer.scene(id).fields.map((name) => {
  const { usual, limits } = Explorer.FIELDS[name];
  return [name, { usual, among: null, whole: false, ...limits }];
}))"""
SHOWN = """texts => texts.map((text) => {
  const state = Explorer.read(text, Explorer.usualState());
  return { state, numbers: %s };
})"""


def fragments(page: Any, scene: str, rng: np.random.Generator, count: int) -> list[str]:
    """Return so many fragments of a scene."""
    fields = page.evaluate(FIELDS, scene)
    return [_fragment(scene, fields, rng) for _ in range(count)]


def _fragment(scene: str, fields: dict[str, Any], rng: np.random.Generator) -> str:
    parts = []
    payoffs = np.sort(rng.uniform(-3, 5, 4)).round(2)[[2, 0, 3, 1]]  # a dilemma, so that every name means something
    for name, about in fields.items():
        if name in "RSTP":
            value: Any = payoffs["RSTP".index(name)]
        elif about["among"] is not None:
            value = rng.choice(about["among"])
        elif isinstance(about["usual"], str):
            value = _strategies(rng, len(about["usual"].split(" ")))
        elif about["whole"]:
            value = rng.integers(about["low"], min(about["high"], about["low"] + 20) + 1)
        else:
            value = rng.uniform(about["low"], about["high"])
        parts.append(f"{name}={value}")
    return f"1/{scene}?{'&'.join(parts)}".replace(" ", "+")


def _strategies(rng: np.random.Generator, count: int) -> str:
    tables = [",".join(map(str, rng.random(5).round(3))) for _ in range(3)]
    return " ".join(rng.permutation([*NAMED, *tables])[:count])


def shown(page: Any, asked: list[str], numbers: str = "Explorer.numbers(state)") -> tuple[Any, Any]:
    """Return the states of fragments, field by field in arrays, and the numbers of each.

    Args:
        page: of the explorer.
        asked: the fragments.
        numbers: what is wanted, in JavaScript, of a `state`.
    """
    answers = page.evaluate(SHOWN % numbers, asked)
    states = [one["state"] for one in answers]
    return {name: np.array([state[name] for state in states]) for name in states[0]}, [
        one["numbers"] for one in answers
    ]
