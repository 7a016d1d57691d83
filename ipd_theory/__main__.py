"""`python -m ipd_theory …` is `ipd-theory …`."""

from ipd_theory.cli import main

main()
