"""Several presets, label budgets and seeds compared by paired statistics.

May import everything from `common` to `training`.
"""
