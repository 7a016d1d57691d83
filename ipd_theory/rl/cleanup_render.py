"""Pictures of CleanUp-lite: a frame as an RGB array, an episode as GIF or MP4, and as text for a terminal.

Everything is drawn from what player 1 sees, since observations are complete: whatever recorded them can be watched.
"""

import errno
import importlib
import importlib.util
import math
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int, UInt8

from ipd_theory._arguments import checked
from ipd_theory._checks import whole
from ipd_theory._extras import needs
from ipd_theory._files import written_whole
from ipd_theory.rl.environments import CleanUpLite

with needs("rl"):
    from PIL import Image, ImageDraw, ImageFont

RGB = UInt8[np.ndarray, "height width 3"]

GROUND, ORCHARD, RIVER = (238, 232, 213), (205, 225, 185), (170, 212, 240)
APPLE, DIRT, STEM = (200, 40, 40), (120, 85, 50), (70, 110, 50)
PLAYERS = ((0, 114, 178), (230, 159, 0))  # Okabe and Ito's blue and orange
LARGEST_CELL = 1000
INK, PALE, ICE = (40, 40, 40), (200, 200, 200), (255, 255, 255)


class Scene(NamedTuple):
    """One moment: cells [player, (row, column)], who is frozen, and where apples and dirt lie [rows, columns]."""

    cells: Int[np.ndarray, "2 2"]
    frozen: Bool[np.ndarray, "2"]
    apples: Bool[np.ndarray, "rows columns"]
    dirt: Bool[np.ndarray, "rows columns"]


@checked
def scene(rules: CleanUpLite, observation: Bool[np.ndarray, " F"]) -> Scene:
    """Return what an observation of player 1 shows.

    Raises:
        ValueError: if its length is not that of the rules' observations.
    """
    cells = rules.rows * rules.columns
    if observation.shape != (5 * cells + 2,):
        raise ValueError(f"observation has shape {observation.shape}; these rules give {(5 * cells + 2,)}")
    own, other, apples, dirt, _ = observation[:-2].reshape(5, cells)
    where = np.stack(np.divmod([own.argmax(), other.argmax()], rules.columns), -1)
    grid = (rules.rows, rules.columns)
    return Scene(where, observation[-2:], apples.reshape(grid), dirt.reshape(grid))


@checked
def frame(rules: CleanUpLite, observation: Bool[np.ndarray, " F"], cell: int = 48) -> RGB:
    """Return a picture [rows · cell, columns · cell, 3] of what player 1 sees, itself in blue.

    Args:
        rules: of the game.
        observation: of player 1.
        cell: side of a cell in pixels.
    """
    whole("cell", cell, 1, LARGEST_CELL)
    return np.asarray(_picture(rules, scene(rules, observation), cell))


def _picture(rules: CleanUpLite, at: Scene, cell: int) -> Image.Image:
    """Draw at three times the size and shrink, for smooth edges."""
    size = 3 * cell
    image = Image.new("RGB", (rules.columns * size, rules.rows * size), GROUND)
    pen = ImageDraw.Draw(image)

    def disc(x: float, y: float, radius: float) -> tuple[float, float, float, float]:
        return size * (x - radius), size * (y - radius), size * (x + radius), size * (y + radius)

    for row, column in np.ndindex(rules.rows, rules.columns):
        colour = ORCHARD if column == 0 else RIVER if column == rules.columns - 1 else GROUND
        left, top = size * column, size * row
        pen.rectangle((left, top, left + size, top + size), fill=colour, outline=PALE, width=3)
        if at.dirt[row, column]:
            for x, y, radius in ((0.35, 0.4, 0.2), (0.6, 0.35, 0.15), (0.55, 0.65, 0.23)):
                pen.ellipse(disc(column + x, row + y, radius), fill=DIRT)
        if at.apples[row, column]:
            stem = [(size * (column + 0.5), size * (row + 0.5)), (size * (column + 0.58), size * (row + 0.2))]
            pen.line(stem, STEM, 9)
            pen.ellipse(disc(column + 0.5, row + 0.55, 0.2), fill=APPLE)
    aside = 0.2 if (at.cells[0] == at.cells[1]).all() else 0.0
    for player, shift in ((1, aside), (0, -aside)):
        row, column = at.cells[player].tolist()
        outline, width = (ICE, size // 9) if at.frozen[player] else (INK, size // 40)
        x, y = column + 0.5 + shift, row + 0.5
        pen.ellipse(disc(x, y, 0.28), fill=PLAYERS[player], outline=outline, width=width)
        if at.frozen[player]:
            pen.text((size * x, size * y), "*", ICE, ImageFont.load_default(size * 0.7), anchor="mm")
    return image.resize((rules.columns * cell, rules.rows * cell), Image.Resampling.LANCZOS)


@checked
def episode(
    rules: CleanUpLite,
    observations: Bool[np.ndarray, "time F"],
    rewards: Float[np.ndarray, "time 2"],
    titles: list[str],
    highest: float | None = None,
    cell: int = 48,
) -> Iterator[RGB]:
    """Return the frames, one a step, with both players' returns so far below.

    Args:
        rules: of the game.
        observations: [time, F] of player 1.
        rewards: [time, 2] of both players for what they then did.
        titles: a line of text for each step.
        highest: return at the top of the scale; the highest of this episode if not given.
        cell: side of a cell in pixels.

    Raises:
        ValueError: if the arrays are not of this game and of one length.
    """
    steps, expected = np.size(observations, 0) if np.ndim(observations) else 0, 5 * rules.rows * rules.columns + 2
    whole("cell", cell, 1, LARGEST_CELL)
    if steps == 0 or np.shape(observations)[1:] != (expected,):
        raise ValueError(f"observations has shape {observations.shape}; it must be (time, {expected})")
    if np.shape(rewards) != (steps, 2) or not np.isfinite(rewards).all():
        raise ValueError(f"rewards must be finite numbers of shape ({steps}, 2); got shape {np.shape(rewards)}, or NaN")
    if len(titles) != steps:
        raise ValueError(f"titles must be {steps}, one for each step; got {len(titles)}")
    return _frames(rules, observations, rewards, titles, highest, cell)


def _frames(
    rules: CleanUpLite,
    observations: Bool[np.ndarray, "time F"],
    rewards: Float[np.ndarray, "time 2"],
    titles: list[str],
    highest: float | None,
    cell: int,
) -> Iterator[RGB]:
    returns = np.concatenate([np.zeros((1, 2)), rewards.cumsum(0)])
    font = ImageFont.load_default(13)
    width, grid_height, strip = max(rules.columns * cell, 200), rules.rows * cell, 92
    top = max(returns.max() if highest is None else highest, 1.0)
    for t, observation in enumerate(observations):
        image = Image.new("RGB", (width + width % 2, grid_height + strip + (grid_height + strip) % 2), (255, 255, 255))
        picture = _picture(rules, scene(rules, observation), cell)
        image.paste(picture, ((width - picture.width) // 2, 0))
        pen = ImageDraw.Draw(image)
        pen.text((6, grid_height + 4), titles[t], INK, font)
        low, high = image.height - 8, grid_height + 44
        for player, colour in enumerate(PLAYERS):
            so_far = returns[: t + 1, player]
            text = f"return {so_far[-1]:g}"
            pen.text((6 + player * width // 2, grid_height + 22), text, colour, font)
            x = 6 + np.arange(t + 1) * (width - 12) / max(len(observations), 1)
            y = low - so_far / top * (low - high)
            pen.line([*zip(x.tolist(), y.tolist(), strict=True)], colour, 2)
        pen.line([(6, low), (width - 6, low)], PALE)
        yield np.asarray(image)


def ffmpeg(path: Path) -> str:
    """Return the program that writes a video: the system's, or the one that comes with imageio-ffmpeg.

    Raises:
        ValueError: if there is none.
    """
    if found := shutil.which("ffmpeg"):
        return found
    if importlib.util.find_spec("imageio_ffmpeg"):
        return str(importlib.import_module("imageio_ffmpeg").get_ffmpeg_exe())
    raise ValueError(f"{path.name} needs ffmpeg: pip install 'ipd-theory[video]', or write a .gif")


@checked
def save(path: Path, frames: list[RGB], frames_per_second: float = 8.0) -> None:
    """Write frames as an animation, whole or not at all; the ending of the name says which kind.

    Args:
        path: the file; .gif, or .mp4 (which needs ffmpeg).
        frames: of one size.
        frames_per_second: speed of the animation.

    Raises:
        ValueError: if the ending is another, there are no frames, their speed is not positive, or ffmpeg is missing.
        OSError: if the file cannot be written.
    """
    if not frames_per_second > 0 or not math.isfinite(frames_per_second):
        raise ValueError(f"frames_per_second must be a positive number; got {frames_per_second}")
    if not frames:
        raise ValueError("frames must hold one frame or more; got none")
    if path.suffix not in (".gif", ".mp4"):
        raise ValueError(f"path {path.name} must end in .gif or .mp4")
    with written_whole(path) as partial:
        (_save_gif if path.suffix == ".gif" else _save_video)(partial, frames, frames_per_second)


def _save_gif(path: Path, frames: list[RGB], frames_per_second: float) -> None:
    images = [Image.fromarray(frame).quantize(64, dither=Image.Dither.NONE) for frame in frames]
    duration = round(1000 / frames_per_second)
    images[0].save(path, save_all=True, append_images=images[1:], duration=duration, loop=0)


def _save_video(path: Path, frames: list[RGB], frames_per_second: float) -> None:
    height, width, _ = frames[0].shape
    raw = f"-y -f rawvideo -pix_fmt rgb24 -s {width}x{height} -r {frames_per_second:g} -i -".split()
    coded = ["-an", "-vcodec", "libx264", "-pix_fmt", "yuv420p", str(path)]
    pixels = b"".join(frame.tobytes() for frame in frames)
    ended = subprocess.run([ffmpeg(path), *raw, *coded], input=pixels, capture_output=True, check=False)
    if ended.returncode:
        why = ended.stderr.decode(errors="replace").strip().splitlines()
        raise OSError(errno.EIO, f"ffmpeg failed: {why[-1] if why else ended.returncode}", str(path))


@checked
def text(rules: CleanUpLite, observation: Bool[np.ndarray, " F"]) -> str:
    """Return a moment as lines for a terminal, in rich's markup: ● apple, ≈ dirt, 1 and 2 the players, boxed if
    frozen."""
    at = scene(rules, observation)
    lines = []
    for row in range(rules.rows):
        shown = []
        for column in range(rules.columns):
            ground = "on #cde1b9" if column == 0 else "on #aad4f0" if column == rules.columns - 1 else "on #eee8d5"
            thing = "[#c82828]●[/]" if at.apples[row, column] else "[#785532]≈[/]" if at.dirt[row, column] else " "
            who = ""
            for player, colour in enumerate(("#0072b2", "#b36200")):
                here = (at.cells[player] == (row, column)).all()
                style = f"bold {colour} reverse" if at.frozen[player] else f"bold {colour}"
                who += f"[{style}]{player + 1}[/]" if here else " "
            shown.append(f"[{ground}] {thing}{who} [/]")
        lines.append("".join(shown))
    return "\n".join(lines)
