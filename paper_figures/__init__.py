"""The figures, one module each: `ABOUT`, `PRESETS`, `compute(settings, seed, progress)` and `plot(arrays, settings)`.

`ABOUT` is an `about.About`: the figure's name, where it stands, and what its arrays mean; a file that has it is found,
whatever it is called. `PRESETS` maps `quick` and `paper` to a frozen dataclass of settings. `compute` returns named
numpy arrays and calls `progress` with the fraction done; `plot` draws them and computes nothing but summary statistics.
The first line of the module's docstring says what is shown. `figure_3c.py` is a short one to begin from.
"""
