"""Exact tournaments of strategies: every match (`pairs`), who is ahead (`standings`), and who enters (`line_ups`)."""

from ipd_theory.tournaments.line_ups import LEFT_OUT, LINE_UPS, line_up
from ipd_theory.tournaments.pairs import round_robin
from ipd_theory.tournaments.standings import Standings, ranked, tournament

__all__ = ["LEFT_OUT", "LINE_UPS", "Standings", "line_up", "ranked", "round_robin", "tournament"]
