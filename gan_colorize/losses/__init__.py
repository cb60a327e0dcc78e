"""Training terms: pure functions that return unreduced maps."""
