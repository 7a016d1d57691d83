"""Published against ours: every quantity of the literature that the package claims to reproduce, and what it finds.

`rows` says what a row is; the modules `of_…` hold the rows by what they are about; `ledger` measures, keeps and
compares them. `ipd-theory reproduce` is the command.
"""
