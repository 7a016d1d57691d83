"""Play as it was recorded: rounds in which one player is read, and what the other did in them.

A log is a table with a line for each round of each player who is read: match, round, player, own action, the other's.
It is kept as *runs*, in each of which one player's rounds follow each other without a gap: a match is one run, and one
more for each place where rounds are missing. What a player remembers is known at the start of a match, and not after a
gap until as many rounds have been seen as it remembers. A round takes one byte.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import ArrayLike, Int

from ipd_theory import _checks
from ipd_theory._arguments import checked, hold_fields
from ipd_theory.inference import _rows

OUTCOMES = ("CC", "CD", "DC", "DD")


@dataclass(frozen=True, eq=False)
class Plays:
    """Rounds of one or more players, in runs that lie one behind the other.

    Args:
        outcomes: [N] 0 to 3 for CC, CD, DC, DD, the action of the player who is read first.
        lengths: [S] the rounds of each run, 1 or more, N in all.
        first: [S] the round with which each run begins, counted from 0; more where the rounds before are missing.
        match: [S] the number of each run's match.
        player: [S] which of the players each run is of.
        players: their names.

    Raises:
        ValueError: if a number is out of range, or lengths do not add up.
    """

    outcomes: Int[np.ndarray, " N"]
    lengths: Int[np.ndarray, " S"]
    first: Int[np.ndarray, " S"]
    match: Int[np.ndarray, " S"]
    player: Int[np.ndarray, " S"]
    players: tuple[str, ...]

    def __post_init__(self) -> None:
        hold_fields(self)
        runs = {name: np.asarray(getattr(self, name)) for name in ("lengths", "first", "match", "player")}
        for name, x in {"outcomes": self.outcomes, **runs}.items():
            if np.ndim(x) != 1 or not np.issubdtype(np.asarray(x).dtype, np.integer):
                raise ValueError(f"{name} must be whole numbers along one axis; got {np.asarray(x)!r}")
            if name in runs and x.shape != runs["lengths"].shape:
                raise ValueError(f"{name} must have an entry for each of {runs['lengths'].size} runs; got {x.size}")
        _held("lengths", runs["lengths"], 1, 2**62)
        _held("outcomes", np.asarray(self.outcomes), 0, 3)
        _held("first", runs["first"], 0, 2**62)
        _held("player", runs["player"], 0, len(self.players) - 1)
        if self.outcomes.size == 0 or runs["lengths"].sum() != self.outcomes.size:
            raise ValueError(f"lengths must add up to the {self.outcomes.size} outcomes, 1 or more; got {self.lengths}")

    @property
    def starts(self) -> Int[np.ndarray, " S"]:
        """Where each run begins among the outcomes."""
        return np.cumsum(self.lengths) - self.lengths

    @property
    def num_rounds(self) -> int:
        """How many rounds are recorded, each player's counted."""
        return self.outcomes.size

    @property
    def num_matches(self) -> int:
        """How many matches there are."""
        return np.unique(self.match).size

    @checked
    def of(self, *players: str) -> "Plays":
        """Return what some of the players played, in the order in which they are named.

        Raises:
            ValueError: naming those there are, if there is no such player, or none is named or one twice.
        """
        if not players or len(set(players)) < len(players):
            raise ValueError(f"players must be one or more, each named once; got {players}")
        for player in players:
            if player not in self.players:
                few = ", ".join(self.players[:20]) + ", …" * (len(self.players) > 20)
                raise ValueError(f"player {player!r} is not in the log; its players are {few}")
        numbers = np.array([players.index(x) if x in players else -1 for x in self.players])[self.player]
        runs = numbers >= 0
        outcomes = self.outcomes[np.repeat(runs, self.lengths)]
        return Plays(outcomes, self.lengths[runs], self.first[runs], self.match[runs], numbers[runs], players)


def _held(name: str, x: np.ndarray, low: int, high: int) -> None:
    if x.size and (x.min() < low or x.max() > high):
        worst = x.min() if x.min() < low else x.max()
        raise ValueError(f"{name} must hold whole numbers from {low} to {high}; it holds {worst}")


@checked
def read(path: str | Path) -> Plays:
    """Return the play in a file of comma-separated values, read piece by piece.

    Its first line names the columns, in any order: `own` (or `action`) and `other`, C or D or 0 or 1, 0 to cooperate;
    `round`, counted from 0 or 1; and, if there are more than one, `match` and `player`. A round whose action is empty
    or NA is missing.

    Args:
        path: of the file.

    Raises:
        ValueError: naming the file, and the line of a row that cannot be read.
    """
    try:
        return _of_rows(_rows.of_csv(Path(path)), f"path {str(path)!r}", "line")
    except (OSError, UnicodeDecodeError) as error:
        said = getattr(error, "strerror", None) or str(error)
        raise ValueError(f"path {str(path)!r} cannot be read: {said}") from None


@checked
def from_frame(frame: Any) -> Plays:
    """Return the play in a table of pandas, or in columns by name, with the columns that `read` knows.

    Args:
        frame: a table, or a mapping from names to columns.

    Raises:
        ValueError: with the row, counted from 0, that cannot be read.
    """
    if not (isinstance(frame, Mapping) or hasattr(frame, "columns")):
        raise TypeError(f"frame must be a table with columns by name; got {type(frame).__name__}")
    return _of_rows(_rows.of_frame(frame), "frame", "row")


def _of_rows(pieces: Iterable[_rows.Piece], name: str, kind: str) -> Plays:
    return _of_columns(_rows.together(pieces, name, kind), name, kind)


def _of_columns(table: _rows.Table, name: str, kind: str, counted_from: int | None = None) -> Plays:
    """Return the runs of rows in any order, rounds counted from 0 or 1, or from the least if that is one of them."""
    order = np.lexsort((table.round, table.match, table.player))
    rounds, matches, players = (x[order] for x in (table.round, table.match, table.player))
    new = np.ones(rounds.size, bool)
    same = (matches[1:] == matches[:-1]) & (players[1:] == players[:-1])
    twice = np.flatnonzero(same & (rounds[1:] == rounds[:-1]))
    if twice.size:
        where = table.where[order[twice + 1]].min()
        raise ValueError(f"{name}, {kind} {where}: this round of the player's match stands there already")
    new[1:] = ~same | (rounds[1:] != rounds[:-1] + 1)
    begin = np.flatnonzero(new)
    least = rounds.min() if counted_from is None else counted_from
    if least not in (0, 1):
        raise ValueError(f"{name}: round must be counted from 0 or 1; the first round in it is {least}")
    return Plays(
        table.outcome[order],
        np.diff(np.append(begin, rounds.size)),
        rounds[begin] - least,
        matches[begin].astype(np.int64),
        players[begin].astype(np.int64),
        table.players,
    )


@checked
def from_actions(actions: Int[ArrayLike, "matches rounds 2"], players: Sequence[Sequence[str]] | None = None) -> Plays:
    """Return the play of both sides of matches in an array.

    Args:
        actions: [matches, rounds, 2] 0 to cooperate, 1 to defect, −1 where a round is missing, or after the last.
        players: [matches, 2] who plays each side; if not given, two players, "1" and "2", in all matches.

    Raises:
        ValueError: if the shape or an action is wrong, nothing is recorded, or names are not two for each match.
    """
    played = np.asarray(actions)
    if played.ndim != 3 or played.shape[-1] != 2 or played.size == 0:
        raise ValueError(f"actions must have the shape [matches, rounds, 2]; got {played.shape}")
    if not np.issubdtype(played.dtype, np.integer) or not ((played >= -1) & (played <= 1)).all():
        raise ValueError("actions must hold 0 to cooperate, 1 to defect, or −1 for a missing round")
    names = [("1", "2")] * len(played) if players is None else [tuple(pair) for pair in players]
    if len(names) != len(played) or any(len(pair) != 2 or not all(isinstance(x, str) for x in pair) for pair in names):
        raise ValueError(f"players must be two names for each of {len(played)} matches; got {names[:3]}")
    known = tuple(dict.fromkeys(name for pair in names for name in pair))
    number = {name: i for i, name in enumerate(known)}
    there = (played >= 0).all(-1)
    if not there.any():
        raise ValueError("actions holds no round in which both actions are known")
    match, rounds = np.nonzero(there)
    sides = np.array([[number[x] for x in pair] for pair in names], np.int32)  # [matches, 2]
    outcomes = 2 * played + played[..., ::-1]
    table = _rows.Table(
        np.tile(match, 2),
        np.tile(rounds, 2),
        sides.T[:, match].reshape(-1),
        np.moveaxis(outcomes[match, rounds], -1, 0).reshape(-1).astype(np.int8),
        np.tile(match, 2),
        known,
    )
    return _of_columns(table, "players", "match", counted_from=0)


@checked
def from_matches(matches: Any) -> Plays:
    """Return the play of matches of the Axelrod library.

    Args:
        matches: a match that has been played, or a sequence of them; or the interactions of a tournament, a mapping
            from pairs of players to lists of matches, each a list of pairs of actions.

    Raises:
        TypeError: if it is none of these.
        ValueError: if a match has not been played.
    """
    if isinstance(matches, Mapping):
        listed = [(tuple(map(str, pair)), played) for pair, every in matches.items() for played in every]
    else:
        every = [matches] if hasattr(matches, "result") else matches
        if isinstance(every, str) or not isinstance(every, Iterable):
            raise TypeError(f"matches must be matches of the Axelrod library; got {type(matches).__name__}")
        every = list(every)
        if not every or not all(hasattr(x, "result") and hasattr(x, "players") for x in every):
            raise TypeError(f"matches must be matches of the Axelrod library; got {every[:1]}")
        listed = [(tuple(str(player) for player in match.players), match.result) for match in every]
    if not listed or not all(len(played) for _, played in listed):
        raise ValueError("matches holds a match that has not been played, or none")
    longest = max(len(played) for _, played in listed)
    actions = np.full((len(listed), longest, 2), -1, np.int8)
    for i, (_, played) in enumerate(listed):
        actions[i, : len(played)] = [[str(action) != "C" for action in pair] for pair in played]
    # Two copies of one player are told apart by the side that they play.
    names = [(a, b if a != b else f"{b} (second)") for (a, b), _ in listed]
    return from_actions(actions, names)


@checked
def from_rollout(actions: Int[ArrayLike, "*axes 2 batch"], player: int = 0) -> Plays:
    """Return what one side played in rollouts of agents, every trajectory a match.

    Args:
        actions: [T, …, 2, B], as `rl.rollout.MetaEpisode.actions` has them in one inner episode: steps first, then any
            axes, the side, and trajectories.
        player: whose, 0 for the ego and 1 for the co-player.

    Raises:
        ValueError: if the shape or an action is wrong, or there is no such player.
    """
    _checks.player("player", player, 2)
    played = np.asarray(actions)
    if played.ndim < 3 or played.shape[-2] != 2:
        raise ValueError(f"actions must have the shape [T, …, 2, B]; got {played.shape}")
    by_match = np.moveaxis(np.moveaxis(played, -2, 0).reshape(2, played.shape[0], -1), (2, 1, 0), (0, 1, 2))
    both = from_actions(by_match, [("ego", "co-player")] * len(by_match))
    return both.of(("ego", "co-player")[player])
