"""Learning-aware policy gradients estimated from samples, and the exact expectations they are held against."""
