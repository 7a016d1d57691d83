"""A chain of histories solved for many pairs at once: elimination written out, the batch along the last axis.

A history of n outcomes leads to the K histories that drop its oldest outcome and gain one, and so do the K − 1 others
that share its last n − 1 outcomes. Rows of the matrix therefore come in groups with common columns, and censoring
(`elimination`) keeps it so: what a group gains it gains in the same columns. A group is kept as an array of its rows
and those columns alone, a sixteenth of the matrix at memory three. Groups of many rows, as those of many players, are
cut into panels, so that most of the work is products of matrices. A chain of which every state leads to every other
is one such group (n = 1).

Censoring a panel P, as ever without a subtraction, leaves for each of its states s

    exits X_sj       the probability that a chain that enters P at s leaves it for j; the last column is for stopping,
    times T_st       how long it stays in t before,

and whoever had moved to s at a rate A_rs now moves to j at A_rs X_sj more. From these two and the rates `into` P the
flow of a source, f = sᵀ(I − γM)^{-1}, and the values of rewards, w = (I − γM)^{-1} r, follow by substitution,

    forward    s_j ← s_j + s_P X_Pj,              r_r ← r_r + A_rP T_P r_P,
    backward   f_P = (s_P + Σ_r f_r A_rP) T_P,    w_P = T_P r_P + X_P w,

the first for panels in the order in which they were censored, the second in reverse.
"""

import copy
import functools
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ipd_theory._engine.compilation import stored_apart

STOP = -1  # the number of the column of stopping rates
WIDTH = 4  # rows of a panel, more where there were more panels than the next number
MOST_PANELS = 16


class Step(NamedTuple):
    """One step of a plan, all of it states by number.

    `states` are the panel's; `own` those of them that it leads to itself, and `outside` the others that it leads to,
    once everything before it is censored. `entered_from` lists the groups that lead to it: number, states left, and
    which of the panel's states they lead to.
    """

    group: int
    states: tuple[int, ...]
    own: tuple[int, ...]
    outside: tuple[int, ...]
    entered_from: tuple[tuple[int, tuple[int, ...], tuple[int, ...]], ...]


@functools.cache
def plan(num_states: int, num_outcomes: int) -> tuple[Step, ...]:
    """Return in which order panels are censored: always the group that changes the fewest entries of what is left."""
    groups = num_states // num_outcomes
    width = min(num_outcomes, max(WIDTH, num_states // MOST_PANELS))
    rows = {g: tuple(range(g, num_states, groups)) for g in range(groups)}
    columns = {g: {g * num_outcomes + k for k in range(num_outcomes)} for g in range(groups)}
    order = []

    def work(g: int) -> int:
        outside = len(columns[g] - set(rows[g]))
        return sum(len(rows[h]) * len(columns[h] & set(rows[g])) * outside for h in rows if h != g)

    while rows:
        g = min(rows, key=work)
        while g in rows:
            states, rest = rows[g][:width], rows.pop(g)[width:]
            if rest:
                rows[g] = rest
            led_to, outside = columns[g] & set(states), columns[g] - set(states)
            entering = [(h, left, columns[h] & set(states)) for h, left in sorted(rows.items())]
            entered_from = tuple((h, left, tuple(sorted(through))) for h, left, through in entering if through)
            for h, _, _ in entered_from:
                columns[h] = columns[h] - set(states) | outside
            order.append(Step(g, states, tuple(sorted(led_to)), tuple(sorted(outside)), entered_from))
    return tuple(order)


class Panels(NamedTuple):
    """A chain after elimination, panel by panel in the order of `plan`, the batch last.

    For each panel `exits` [rows, columns, lanes], `times` [rows, rows, lanes] and, for each of those that it is entered
    from, the rates `into` it [their rows, states entered, lanes].
    """

    exits: tuple[Array, ...]
    times: tuple[Array, ...]
    into: tuple[tuple[Array, ...], ...]
    steps: tuple[Step, ...]

    def flows(self, sources: Float[Array, "k n lanes"]) -> Float[Array, "k n lanes"]:
        """Return f with f(I − γM) = s for each source s: time in each state of what starts there."""
        at = _ByState(sources)
        for step, exits in zip(self.steps, self.exits, strict=True):
            if step.outside:
                at.add(step.outside, stored_apart(_product, at[step.states], exits[:, :-1]))
        for step, times, into in zip(*(x[::-1] for x in (self.steps, self.times, self.into)), strict=True):
            for (_, rows, entered), rates in zip(step.entered_from, into, strict=True):
                at.add(entered, _product(at[rows], rates))
            at[step.states] = stored_apart(_product, at[step.states], times)
        return at.all()

    def values(self, rewards: Float[Array, "k n lanes"]) -> Float[Array, "k n lanes"]:
        """Return w with (I − γM)w = r for each r: what is earned from each state on until the chain stops."""
        at = _ByState(rewards)
        for step, times, into in zip(self.steps, self.times, self.into, strict=True):
            at[step.states] = stored_apart(_matrix_times, times, at[step.states])
            for (_, rows, entered), rates in zip(step.entered_from, into, strict=True):
                at.add(rows, _matrix_times(rates, at[entered]))
        for step, exits in zip(self.steps[::-1], self.exits[::-1], strict=True):
            if step.outside:
                at.add(step.states, stored_apart(_matrix_times, exits[:, :-1], at[step.outside]))
        return at.all()


class _ByState:
    """An array [k, n, lanes] of which some states at a time are read and written while a program is written out."""

    def __init__(self, x: Array) -> None:
        self.entries = [x[:, s] for s in range(x.shape[1])]

    def __getitem__(self, states: tuple[int, ...]) -> Array:
        return jnp.stack([self.entries[s] for s in states], 1)

    def __setitem__(self, states: tuple[int, ...], x: Array) -> None:
        for i, s in enumerate(states):
            self.entries[s] = x[:, i]

    def add(self, states: tuple[int, ...], x: Array) -> None:
        for i, s in enumerate(states):
            self.entries[s] = self.entries[s] + x[:, i]

    def all(self) -> Array:
        return jnp.stack(self.entries, 1)


class _Rows:
    """The rows of a group that are left: for each column an array [rows, columns, lanes] and where it is in there.

    Only columns that change are written anew. The column STOP holds the stopping rates.
    """

    def __init__(self, rates: Array, columns: Sequence[int]) -> None:
        self.first, self.like = 0, rates[:, :1]  # the row from which on they are left
        self.at: dict[int, tuple[Array, int, int]] = {}
        self.write(rates, columns)

    def write(self, x: Array, columns: Sequence[int]) -> None:
        """Put columns of x [rows left, columns, lanes] in place of those that are there."""
        self.at |= {column: (x, i, self.first) for i, column in enumerate(columns)}

    def take(self, size: int) -> "_Rows":
        """Return the first rows that are left, which no longer are."""
        end = self.first + size
        panel = copy.copy(self)
        panel.at = {column: (x[: end - start], i, start) for column, (x, i, start) in self.at.items()}
        panel.like = self.like[:end]
        self.first = end
        return panel

    def read(self, columns: Sequence[int]) -> Array:
        """Return columns as one array, zeros for those that are not there; runs are slices, which programs fuse."""
        zeros = jnp.zeros((len(self.like), len(columns), *self.like.shape[2:]), self.like.dtype)
        runs: list[list[Any]] = [[zeros, 0, 0, 0]]
        for column in columns:
            last = runs[-1]
            x, i, start = self.at.get(column, (zeros, last[2] if last[0] is zeros else 0, 0))
            if last[0] is x and last[2] == i:
                last[2] += 1
            else:
                runs.append([x, i, i + 1, start])
        return jnp.concatenate([x[self.first - start :, i:end] for x, i, end, start in runs], 1)


def censored(moves: Float[Array, "n K lanes"], stop: Float[Array, "n lanes"]) -> Panels:
    """Censor all panels of a chain.

    Args:
        moves: rates from each history by the outcome that it gains; those of a history into itself are not read.
        stop: the rate at which the chain stops in each.
    """
    num_states, num_outcomes, _ = moves.shape
    steps = plan(num_states, num_outcomes)
    groups = num_states // num_outcomes
    rows = {}
    for g in range(groups):
        rows[g] = _Rows(moves[g::groups], range(g * num_outcomes, (g + 1) * num_outcomes))
        rows[g].write(stop[g::groups, None], [STOP])

    exits, times, into = [], [], []
    for step in steps:
        panel, outside = rows[step.group].take(len(step.states)), (*step.outside, STOP)
        stayed = _times(panel, step)
        left = _exits(panel, outside, stayed)
        rates = []
        for h, _, entered in step.entered_from:
            inflow, through = rows[h].read(entered), jnp.stack([left[step.states.index(s)] for s in entered])
            rows[h].write(_skipping(rows[h], outside, inflow, through), outside)
            rates.append(inflow)
        exits.append(left)
        times.append(stayed)
        into.append(tuple(rates))
    return Panels(tuple(exits), tuple(times), tuple(into), steps)


def _times(panel: _Rows, step: Step) -> Array:
    """Return T [rows, rows, lanes], from the panel's rates to its own states and the sum of all others."""
    own = [step.states.index(s) for s in step.own]

    def to_own_and_out() -> Array:
        out = panel.read((*step.outside, STOP))
        return jnp.concatenate([panel.read(step.own), _sum([out[:, j] for j in range(out.shape[1])])[:, None]], 1)

    table = stored_apart(to_own_and_out)
    for i, row in enumerate(own):  # whose column is the first that is left
        table = stored_apart(functools.partial(_leave_out, row=row, leaving=len(own) - i), table)
    return stored_apart(functools.partial(_assembled, own=own), table)


def _exits(panel: _Rows, outside: Sequence[int], times: Array) -> Array:
    """Return X, the stopping probability last: the times in the panel's states, times their rates out."""
    return stored_apart(lambda: _product(times, panel.read(outside)))


def _skipping(rows: _Rows, outside: Sequence[int], inflow: Array, exits: Array) -> Array:
    """Return the columns of a group that leads to a panel as they are once it skips it."""
    return stored_apart(lambda: rows.read(outside) + _product(inflow, exits))


def _leave_out(table: Array, row: int, leaving: int) -> Array:
    """Censor the state whose column is the first; the times in it are one column more at the end.

    Its row is divided by its rate out, the sum of the `leaving` columns after the first, and added to all others.
    """
    at = (np.arange(len(table)) == row)[:, None]
    per_rate = 1 / _sum([table[row, 1 + j] for j in range(leaving)])
    times = jnp.where(at, per_rate, table[:, 0] * per_rate)
    rest = jnp.where(at[..., None], 0, table[:, 1:]) + times[:, None] * table[row, 1:]
    return jnp.concatenate([rest, times[:, None]], 1)


def _assembled(table: Array, own: Sequence[int]) -> Array:
    """Return T from the times in the panel's own states, the columns after the first.

    In a state that nobody in the panel moves to, itself included, one step is spent by who begins there.
    """
    size = len(table)
    one_step = jnp.broadcast_to(np.eye(size, dtype=table.dtype)[..., None], (size, *table[:, 0].shape))
    return jnp.stack([table[:, 1 + own.index(t)] if t in own else one_step[t] for t in range(size)], 1)


def _product(a: Array, b: Array) -> Array:
    """Return the products of matrices [i, j, lanes] and [j, k, lanes], for each lane."""
    return _sum([a[:, j, None] * b[j] for j in range(a.shape[1])])


def _sum(arrays: Sequence[Array]) -> Array:
    return functools.reduce(jnp.add, arrays)


def _matrix_times(matrix: Array, x: Array) -> Array:
    """Return a matrix [r, c, lanes] times x [k, c, lanes], for each lane."""
    return _sum([matrix[:, c] * x[:, c, None] for c in range(matrix.shape[1])])
