"""Measuring colour: one file a metric, a runner over any source of photographs, a report."""
