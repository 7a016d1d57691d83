"""Pictures of CleanUp-lite, the command that watches a run, and PettingZoo's parallel API."""

import json
import shutil
import sys
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest
from pettingzoo.test import parallel_api_test, parallel_seed_test
from PIL import Image

from ipd_theory import cli
from ipd_theory.rl import cleanup, cleanup_render
from ipd_theory.rl.cleanup_pettingzoo import CleanUpLiteParallel
from ipd_theory.rl.config import PRESETS, Config, Meta, with_method
from ipd_theory.rl.environments import CleanUpLite
from ipd_theory.rl.networks import HawkSettings
from ipd_theory.rl.run_folder import read_config, read_metrics
from paper_figures import cleanup_runs, recorded
from paper_figures import run as figures
from tests.test_cleanup import games

RULES = CleanUpLite()
TINY = Config(
    methods=("coala", "m_fos"),
    iterations=2,
    meta_batch=2,
    batch=2,
    inner_episodes=3,
    episode_length=4,
    p_naive=0.5,
    num_naive=2,
    environment=CleanUpLite(rows=3, columns=3),
    network=HawkSettings(width=4, expanded_width=4),
    meta=Meta(epochs=1, minibatches=1),
)


@pytest.mark.parametrize("name", ["cleanup-shaping", "cleanup-mixed", "cleanup-shaping-quick", "cleanup-mixed-quick"])
def test_presets_are_the_papers_table(name: str) -> None:
    config, mixed, quick = PRESETS[name], "mixed" in name, name.endswith("quick")
    assert (config.p_naive, config.dynamic_naive) == ((0.75, True) if mixed else (1.0, False))
    assert config.num_naive == (3 if mixed else 10)
    meta, naive = config.meta, config.naive
    assert (meta.epochs, meta.minibatches, meta.clip) == ((1, 1, 0.2) if mixed else (4, 2, 0.2))
    assert (meta.value_coefficient, meta.discount, meta.td_lambda, meta.gae_lambda) == (0.5, 1, 1, 1)
    assert (meta.normalize_advantages, meta.max_gradient_norm, meta.reward_scale) == (True, 1.0, 0.1)
    assert (naive.optimizer, naive.discount, naive.reward_scale) == (
        ("sgd", 1.0, 0.1) if mixed else ("adam", 0.99, 0.1)
    )
    if not quick:
        sizes = (config.iterations, config.meta_batch, config.batch, config.inner_episodes, config.episode_length)
        assert sizes == ((30000, 512, 64, 5, 64) if mixed else (3000, 512, 32, 100, 64))
        assert len(config.methods) == (3 if mixed else 1)
        assert (meta.optimizer, meta.learning_rate) == (("sgd", 0.1) if mixed else ("adam", 1e-3))
        assert naive.learning_rate == (1.0 if mixed else 0.005)
        assert config.environment == RULES


@pytest.mark.parametrize(("name", "kind"), [("6", "against_naive"), ("7", "against_meta"), ("14", "against_naive")])
def test_figures_show_what_the_runs_recorded(name: str, kind: str, tmp_path: Path) -> None:
    """Read again without the package: the first and the last line of a method, agents and inner episodes averaged."""
    arrays = figures.compute(name, "quick", 0, tmp_path)
    assert figures.draw(name, "quick", 0, tmp_path, arrays)[0].stat().st_size > 5000
    settings = figures.module_of(name).PRESETS["quick"]
    file = recorded.RECORDED / f"{settings.preset}-m_fos-{settings.seeds[0]}" / "metrics.jsonl"
    there = [json.loads(line) for line in file.read_text().splitlines()]
    for at in (0, len(arrays["iteration"]) - 1):
        play = there[at][kind]
        mean = {what: np.nanmean(np.asarray(play[what], float)) for what in play}
        assert there[at]["iteration"] == arrays["iteration"][at]
        if name == "14":
            expected = {
                "co-player's reward": mean["co_player_reward"],
                "pollution": mean["dirt"],
                "apples": mean["apples"],
            }
        else:
            discrepancy = mean["co_player_cleaning"] - mean["cleaning"]
            expected = {"reward": mean["reward"], "cleaning discrepancy": discrepancy, "zapping": mean["zaps"]}
        for title, value in expected.items():
            np.testing.assert_allclose(arrays[f"m_fos {kind} {title}"][0, at], value, rtol=1e-9, atol=1e-12)


def test_paper_figures_train_each_method_at_the_papers_settings() -> None:
    """Learning rate and reward scale, from the paper's table of CleanUp-lite settings."""
    table = {
        "cleanup-shaping": {"coala": (1e-3, 0.1), "batch_unaware": (1e-3, 1.0), "m_fos": (3e-3, 1.0)},
        "cleanup-mixed": {"coala": (0.1, 0.1), "batch_unaware": (0.03, 0.1), "m_fos": (0.03, 0.1)},
    }
    for preset, rows in table.items():
        for method, row in rows.items():
            config = cleanup_runs.tuned(PRESETS[preset], method)
            assert set(config.methods) == {method}
            assert (config.meta.learning_rate, config.meta.reward_scale) == row


def seen(rules: CleanUpLite, *args: Any, **kwargs: Any) -> np.ndarray:
    return np.asarray(cleanup.observe(rules, games(*args, **kwargs))[0])


def test_a_frame_shows_each_thing_in_its_cell() -> None:
    nothing = cleanup_render.frame(RULES, seen(RULES, (0, 4), (1, 2)), cell=30)
    assert nothing.shape == (150, 120, 3)

    def changed(picture: np.ndarray) -> set[tuple[int, int]]:
        differing = (picture != nothing).any(-1).reshape(5, 30, 4, 30).any((1, 3))
        return {(int(r), int(c)) for r, c in np.argwhere(differing)}

    def drawn(**kwargs: Any) -> np.ndarray:
        return cleanup_render.frame(RULES, seen(RULES, (0, 4), (1, 2), **kwargs), cell=30)

    assert changed(drawn(apples=0b01001)) == {(0, 0), (3, 0)}
    assert changed(drawn(dirt=0b10100)) == {(2, 3), (4, 3)}
    assert changed(drawn(frozen=(0, 3))) == {(4, 2)}
    assert tuple(nothing[15, 45]) == cleanup_render.PLAYERS[0]
    assert tuple(nothing[135, 75]) == cleanup_render.PLAYERS[1]
    moved = cleanup_render.frame(RULES, seen(RULES, (2, 4), (1, 2)), cell=30)
    assert changed(moved) == {(0, 1), (2, 1)}
    both = cleanup_render.frame(RULES, seen(RULES, (2, 2), (1, 1)), cell=30)
    colours = {tuple(pixel) for pixel in both[60:90, 30:60].reshape(-1, 3)}
    assert colours.issuperset(cleanup_render.PLAYERS)
    with pytest.raises(ValueError, match=r"observation has shape \(102,\); these rules give \(47,\)"):
        cleanup_render.frame(TINY.environment, seen(RULES, (0, 4), (1, 2)))


def test_text_shows_players_apples_and_dirt() -> None:
    lines = cleanup_render.text(RULES, seen(RULES, (1, 1), (1, 1), (0, 4), dirt=0b100, apples=0b1)).split("\n")
    assert [line.count("●") for line in lines] == [1, 0, 0, 0, 0]
    assert [line.count("≈") for line in lines] == [0, 0, 1, 0, 0]
    assert [("1[/]" in line, "2[/]" in line) for line in lines] == [(False, False), (True, True)] + [(False,) * 2] * 3
    assert ["reverse" in line for line in lines] == [False, True, False, False, False]


def test_an_episode_becomes_a_gif_and_a_video(tmp_path: Path) -> None:
    observations = np.stack([seen(RULES, (row, 4), (0, 3)) for row in range(5)])
    rewards = np.array([[0, 0], [1, 0], [1, 0], [0, 0], [0, 1]], float)
    frames = list(cleanup_render.episode(RULES, observations, rewards, [f"step {i}" for i in range(5)]))
    below = [frame[240:] for frame in frames]
    blue = [(part == cleanup_render.PLAYERS[0]).all(-1) for part in below]
    top_of_line = [mask[40:].any(1).argmax() if mask[40:].any() else 999 for mask in blue]
    assert top_of_line[4] == top_of_line[3] < top_of_line[2]  # two apples by step 3, the return before each step
    for name in ("x.gif", "x.mp4"):
        cleanup_render.save(tmp_path / name, frames, 4.0)
    with Image.open(tmp_path / "x.gif") as gif:
        assert (gif.n_frames, gif.info["duration"], gif.size) == (5, 250, frames[0].shape[1::-1])
        difference = np.abs(np.asarray(gif.convert("RGB"), int) - frames[0])
    assert np.median(difference) <= 2
    assert b"ftyp" in (tmp_path / "x.mp4").read_bytes()[:16]
    for name, given, message in (("x.avi", frames, "must end in"), ("x.gif", [], "one frame or more")):
        with pytest.raises(ValueError, match=message):
            cleanup_render.save(tmp_path / name, given)


def test_without_ffmpeg_a_video_is_refused_in_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    monkeypatch.setitem(sys.modules, "imageio_ffmpeg", None)
    with pytest.raises(ValueError, match=r"needs ffmpeg: pip install 'ipd-theory\[video\]', or write a \.gif"):
        cleanup_render.save(tmp_path / "x.mp4", [np.zeros((2, 2, 3), np.uint8)])


@pytest.mark.slow
def test_a_figure_trains_a_missing_run_and_watch_animates_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(PRESETS, "tiny", TINY)
    lines = cleanup_runs.lines_of(cleanup_runs.Settings("tiny", 2, (3,)), "coala", 3, tmp_path / "runs")
    directory = tmp_path / "runs" / "tiny-coala-3"
    assert [line["iteration"] for line in lines] == [2]
    assert read_config(directory) == (with_method(TINY, "coala"), (3,))
    measured = read_metrics(directory)[-1]["against_naive"]
    assert set(measured) > {"apples", "dirt", "cleaning", "co_player_cleaning", "zaps", "frozen", "co_player_frozen"}
    assert np.asarray(measured["dirt"], float).shape == (1, 2, 3)

    def watch(*options: str) -> str:
        monkeypatch.setattr(sys, "argv", ["ipd-theory", "watch", str(directory), *options])
        cli.main()
        return capsys.readouterr().out

    assert watch().strip() == str(directory / "episode.gif")
    with Image.open(directory / "episode.gif") as gif:
        assert gif.n_frames <= 2 * 4  # equal frames in a row are one
        assert gif.width >= 200
    printed = watch("--live", "--against", "meta", "--episodes", "2", "--frames-per-second", "1000")
    assert "step 4 of 4" in printed
    for options, message in (
        (("--agent", "2"), "agent must lie in 0 to 1; got 2"),
        (("--episodes", "4"), "episodes must lie in 1 to 3; got 4"),
        (("--out", "x.avi"), "x.avi' must end in .gif, .mp4"),
    ):
        monkeypatch.setattr(sys, "argv", ["ipd-theory", "watch", str(directory), *options])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        assert ended.value.code == 2
        assert message in capsys.readouterr().err


def test_pettingzoos_own_tests_pass() -> None:
    parallel_api_test(CleanUpLiteParallel(episode_length=30), num_cycles=100)
    parallel_seed_test(CleanUpLiteParallel)


def test_pettingzoo_plays_the_same_game_as_the_environment() -> None:
    env = CleanUpLiteParallel(RULES, episode_length=40, render_mode="rgb_array")
    observations, _ = env.reset(seed=11)
    game, rng = cleanup.environment(RULES), np.random.default_rng(0)
    key, opening = jax.random.split(jax.random.key(11))
    state, step = game.reset(opening, ()), jax.jit(game.step)
    for t in range(40):
        for agent, expected in zip(env.possible_agents, game.observe(state), strict=True):
            np.testing.assert_array_equal(observations[agent], expected)
            assert env.observation_space(agent).contains(observations[agent])
        picture = env.render()
        np.testing.assert_array_equal(picture, cleanup_render.frame(RULES, np.asarray(game.observe(state)[0])))
        actions = rng.integers(0, 6, 2)
        key, chance = jax.random.split(key)
        state, rewards = step(state, jax.numpy.asarray(actions, "int32"), chance)
        observations, given, terminated, truncated, infos = env.step(
            dict(zip(env.possible_agents, actions, strict=True))
        )
        assert list(given.values()) == rewards.tolist()
        assert not any(terminated.values())
        assert set(truncated.values()) == {t == 39}
        assert infos["player_0"]["co_player_zaps"] == infos["player_1"]["zaps"] == state.zapped[1]
        assert infos["player_0"]["dirt"] == infos["player_1"]["dirt"] == int(state.dirt).bit_count()
    assert env.agents == []
    with pytest.raises(ValueError, match="the game is over"):
        env.step({"player_0": 0, "player_1": 0})
    env.reset()
    with pytest.raises(ValueError, match="actions must hold 0 to 5 for player_1"):
        env.step({"player_0": 0, "player_1": 6})
    with pytest.raises(ValueError, match="episode_length must be a whole number, 1 or more"):
        CleanUpLiteParallel(RULES, episode_length=0)


@pytest.mark.parametrize("name", ["x.gif", "x.mp4"])
def test_an_animation_that_cannot_be_written_leaves_the_old_one(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error names the file that was asked for; the command tells it in one line, as any `OSError`."""
    path = tmp_path / name
    path.write_bytes(b"old")

    def full(partial: Path, *_: Any) -> None:
        partial.write_bytes(b"half")
        raise OSError(28, "No space left on device", str(partial))

    for write in ("_save_gif", "_save_video"):
        monkeypatch.setattr(cleanup_render, write, full)
    with pytest.raises(OSError, match=f"No space left on device: .*/{name}"):
        cleanup_render.save(path, [np.zeros((2, 2, 3), np.uint8)])
    assert path.read_bytes() == b"old"
    assert [*tmp_path.iterdir()] == [path]
