"""Comparison of presets over label budgets and seeds, by paired statistics.

`runner` trains and scores the runs, `workers` runs several trainings at once, `statistics` computes intervals and the
verdict. `finished` measures finished runs.
"""
