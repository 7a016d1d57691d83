"""Everything that is owed to a GPU, in one resumable command: `make gpu`, or `python -m tests.gpu --help`.

`engine` says how near returns, gradients and pools come to what the device can do at most; the other steps are the
package's own commands at the paper's sizes, each for a share of the minutes, going on where they were left.
"""
