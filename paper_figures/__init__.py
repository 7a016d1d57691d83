"""The figures, one module each: `PRESETS`, `compute(settings, seed, progress)` and `plot(arrays, settings)`.

`PRESETS` maps `quick` and `paper` to a frozen dataclass of settings. `compute` returns named numpy arrays and
calls `progress` with the fraction done; `plot` draws them and computes nothing but summary statistics.
"""
