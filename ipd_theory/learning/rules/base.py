r"""What a learning rule is.

A rule is a pair of functions

    init(x, y) -> state,     update(view, x, y, state) -> (direction, state, info),

of its owner's parameters x and the other's y, and `direction` is what the owner ascends: plain gradient steps
x ← x + α·direction give the published update. Rules are written for one pair, in vectors; `learn` and `direction`
batch them over leading axes. Each sees the game from its own side, so any two rules can meet; sources that write
losses L = −J have the signs turned here.

A rule is a structure. Its numbers are data, floats or arrays, which may be traced, differentiated and mapped over:
programs are compiled once for a kind of rule, not for each of its numbers. Whole numbers and switches say what is
compiled.

One of one's own is a function of a view, and one that makes the rule of it:

    def _humble(view, x, y, share):
        return jax.grad(lambda x: (1 - share) * view.own(x, y) + share * view.other(x, y))(x)

    def humble(share=0.5):
        return ascent("humble", _humble, share=number("share", share, 0.0, 1.0))

In a file of its own, mine.py, it plays `ipd-theory tournament --rules naive "mine.py:humble(0.3)"`, and in Python
`learning.tournament.tournament(game, ("naive", humble(0.3)))`. A file in this folder that also says
`BY_NAME = {"humble": Published(humble, (0.5,))}` makes it `humble(0.3)` there. Rules with a memory derive from `Rule`.
"""

import abc
import dataclasses
import enum
import math
from collections.abc import Callable
from typing import Any, Concatenate, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from ipd_theory import _checks
from ipd_theory.learning.views import View


class Problem(enum.IntEnum):
    """What can go wrong in an update."""

    NONE = 0
    NOT_FINITE = 1  # a step overflowed or was undefined: the pair stops there
    SINGULAR = 2  # a linear system could not be solved
    UNCONVERGED = 3  # an inner solver stopped above its tolerance


class Info(NamedTuple):
    """What an update reports about itself: an inner solver's residual (0 where there is none) and a `Problem`."""

    residual: Float[Array, ""]
    problem: Int[Array, ""]


class Rule(eqx.Module):
    """A learning rule; see the head of this module for how its fields decide what is compiled."""

    @property
    def among_many(self) -> bool:
        """Whether it is one for more than two players as well: of others it reads how they climb (`groups`)."""
        return False

    def init(self, x: Array, y: Array) -> Any:
        """Return what the rule remembers before its first update, any tree of arrays; nothing unless it says so.

        Args:
            x: the owner's parameters.
            y: the other's.
        """
        return ()

    @abc.abstractmethod
    def update(self, view: View, x: Array, y: Array, state: Any) -> tuple[Array, Any, Info]:
        """Return what the owner ascends, what the rule remembers from now on, and what it reports about itself.

        Args:
            view: the game from the owner's side.
            x: the owner's parameters.
            y: the other's.
            state: what the rule remembers.
        """


class OnSums(NamedTuple):
    """A published step for sums of payoffs Σ γ^t r; on averages a step, which rules see, it is `step`/(1 − γ)."""

    step: float

    def on_averages(self, discount: float) -> float:
        """Return the step on averages, NaN at γ = 1, where sums are infinite."""
        return round(self.step * round(1 / (1 - discount), 9), 9) if discount < 1 else math.nan


class Published(NamedTuple):
    """How a rule enters by its name: a module of rules lists its own in `BY_NAME`, and needs to be listed nowhere else.

    Args:
        make: the function that returns the rule.
        settings: its first arguments as published; those that are given by name on a command line replace them.
    """

    make: Callable[..., Rule]
    settings: tuple[int | float | OnSums, ...] = ()


Number = float | int | Float[Array, ""]  # of a rule; an array where it is traced

# A direction at every pair of parameters: `field(view, x, y, **settings)`, or that and what to report about it.
Field = Callable[Concatenate[View, Array, Array, ...], Array | tuple[Array, Info]]


class Ascent(Rule):
    """The rule without memory that ascends a field; made by `ascent`."""

    name: str = eqx.field(static=True)
    field: Field = eqx.field(static=True)
    choices: tuple[tuple[str, Any], ...] = eqx.field(static=True)
    numbers: dict[str, Any]
    many: bool = eqx.field(static=True, default=False)

    @property
    def among_many(self) -> bool:
        """Whether it is one for more than two players as well."""
        return self.many

    def for_many(self, many: bool = True) -> "Ascent":
        """Return the rule as one for more than two players as well (`learning.groups` says what the other is then)."""
        return dataclasses.replace(self, many=many)

    def update(self, view: View, x: Array, y: Array, state: Any) -> tuple[Array, Any, Info]:
        """Return the field's direction at (x, y), in their precision."""
        numbers = jax.tree.map(lambda n: n.astype(x.dtype) if _is_number_array(n) else n, self.numbers)
        result = self.field(view, x, y, **dict(self.choices), **numbers)
        direction, info = result if isinstance(result, tuple) else (result, nothing_wrong(x))
        return direction, state, info

    def __repr__(self) -> str:
        return f"{self.name}({', '.join(f'{k}={v!r}' for k, v in (*self.choices, *self.numbers.items()))})"


def _is_number_array(x: Any) -> bool:
    return isinstance(x, jax.Array) and x.ndim == 0 and jnp.issubdtype(x.dtype, jnp.floating)


def ascent(name: str, field: Field, **settings: Any) -> Ascent:
    """Return the rule that ascends `field(view, x, y, **settings)`.

    Args:
        name: what the rule is called when it is printed.
        field: a function of a module: one defined inside another function is another rule each time.
        **settings: floats, arrays, rules and other trees of arrays are the rule's numbers; whole numbers, switches
            and None are compiled in.
    """
    if not callable(field):
        raise TypeError(f"field must be a function; got {field!r}")
    choices = {k: v for k, v in settings.items() if v is None or isinstance(v, int)}
    return Ascent(name, field, tuple(choices.items()), {k: v for k, v in settings.items() if k not in choices})


def number(name: str, value: Number, low: float = 0.0, high: float = math.inf, *, above: bool = False) -> Number:
    """Return one of a rule's numbers, checked as `_checks.number` does, or when it is run if it is traced.

    Args:
        name: of the argument.
        value: the number.
        low: the least that is allowed.
        high: the most.
        above: `low` itself is not allowed.
    """
    if isinstance(value, jax.core.Tracer):
        traced = _checks.to_float(value)
        return _checks.in_range(name, traced, low, min(high, float(jnp.finfo(traced.dtype).max)))
    return _checks.number(name, value, low, high, open_low=above)


def nothing_wrong(x: Array) -> Info:
    """Return the info of an update that solves nothing."""
    return Info(jnp.zeros((), x.dtype), jnp.zeros((), jnp.int32))


def _nowhere(view: View, x: Array, y: Array) -> Array:
    return jnp.zeros_like(x)


def still() -> Rule:
    """Return the rule that never moves: a fixed policy."""
    return ascent("still", _nowhere).for_many()


class Mixture(Rule):
    """The rule whose direction is the weighted sum of others'; made by `mixture`."""

    rules: tuple[Rule, ...]
    weights: tuple[Number, ...]

    @property
    def among_many(self) -> bool:
        """Whether all of the rules are for more than two players as well."""
        return all(rule.among_many for rule in self.rules)

    def init(self, x: Array, y: Array) -> Any:
        """Return what each of the rules remembers."""
        return tuple(rule.init(x, y) for rule in self.rules)

    def update(self, view: View, x: Array, y: Array, state: Any) -> tuple[Array, Any, Info]:
        """Return the weighted sum of the directions, and the worst that any of the rules reports."""
        updates = [rule.update(view, x, y, its) for rule, its in zip(self.rules, state, strict=True)]
        weights = [jnp.asarray(w, x.dtype) for w in self.weights]
        direction = sum((w * d for w, (d, _, _) in zip(weights, updates, strict=True)), jnp.zeros_like(x))
        infos = [info for _, _, info in updates]
        worst = Info(
            jnp.stack([i.residual for i in infos]).max(), jnp.stack([jnp.asarray(i.problem) for i in infos]).max()
        )
        return direction, tuple(state for _, state, _ in updates), worst

    def __repr__(self) -> str:
        return f"mixture({self.rules!r}, {self.weights!r})"


def mixture(rules: tuple[Rule, ...], weights: tuple[Number, ...]) -> Rule:
    """Return the rule whose direction is the weighted sum of others'.

    Args:
        rules: the rules to mix, one or more.
        weights: one for each.

    Raises:
        ValueError: if there is not one weight for each rule.
    """
    kept = checked_rules("rules", rules)
    if not isinstance(weights, tuple | list):
        raise TypeError(f"weights must be a tuple of numbers; got {weights!r}")
    if not kept or len(weights) != len(kept):
        raise ValueError(f"weights must be one number for each of {len(kept)} rules; got {len(weights)}")
    return Mixture(kept, tuple(number(f"weights[{i}]", w, -math.inf) for i, w in enumerate(weights)))


def checked_rules(name: str, rules: Any, count: int | None = None) -> tuple[Rule, ...]:
    """Return rules as a tuple, or raise: `TypeError` for what is no rule, `ValueError` unless there are `count`."""
    if not isinstance(rules, tuple | list):
        raise TypeError(f"{name} must be a tuple of rules; got {rules!r}")
    for i, rule in enumerate(rules):
        checked_rule(f"{name}[{i}]", rule)
    if count is not None and len(rules) != count:
        raise ValueError(f"{name} must be {count} rules, one for each player; got {len(rules)}")
    return tuple(rules)


def checked_rule(name: str, rule: Any) -> Rule:
    """Return a rule, or raise `TypeError` for what is none."""
    if not isinstance(rule, Rule):
        hint = f" did you mean {rule.__name__}(…)?" if callable(rule) and hasattr(rule, "__name__") else ""
        raise TypeError(f"{name} must be a rule, such as rules.naive(); got {rule!r}.{hint}")
    return rule


def distinct_rules(rules: tuple[Rule, ...]) -> tuple[tuple[Rule, ...], tuple[int, ...]]:
    """Return the rules that differ, and which of them each rule is."""
    distinct: list[Rule] = []
    which = []
    for rule in rules:
        same = [i for i, other in enumerate(distinct) if _are_one(rule, other)]
        which.append(same[0] if same else len(distinct))
        distinct += [] if same else [rule]
    return tuple(distinct), tuple(which)


def _are_one(rule: Rule, other: Rule) -> bool:
    def alike(a: Any, b: Any) -> bool:
        return a is b or (isinstance(a, float) and isinstance(b, float) and a == b)

    kinds: list[Any] = [jax.tree.structure(r) for r in (rule, other)]
    same_kind: bool = kinds[0] == kinds[1]
    return same_kind and all(map(alike, jax.tree.leaves(rule), jax.tree.leaves(other)))
