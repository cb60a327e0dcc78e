"""Several colorizers on the same photographs: one table, one page, one protocol id.

A benchmark reads every photograph once, asks every entry (a network, a folder of results, grey) for its
picture of it, and keeps what each picture was worth in parts, photograph by photograph (:mod:`.parts`). All
numbers of the report, their intervals and their comparisons are then functions of these parts.
"""
