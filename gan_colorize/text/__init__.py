"""Words: their vectors, and the pairs of text and palette that a network learns from."""
