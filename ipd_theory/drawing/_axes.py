"""The two axes of a map, asked for by name."""

from ipd_theory._extras import needs

with needs("phases"):
    import xarray as xr


def check_axes(grid: xr.Dataset, x_name: str, y_name: str) -> None:
    """Raise `ValueError` unless these are the two axes of a sweep's grid."""
    there = [str(name) for name in grid.outcome.dims if name != "seed"]
    if {x_name, y_name} != set(there) or x_name == y_name:
        raise ValueError(
            f"x_name and y_name must be the two axes of the grid, {', '.join(there)}; got {x_name!r}, {y_name!r}"
        )
