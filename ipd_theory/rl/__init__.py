"""Agents that learn from sampled experience: sequence models, meta-episodes and their training."""
