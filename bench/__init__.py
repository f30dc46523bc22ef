"""The operator against its budgets: `python -m bench.scale` on a real control plane, `python -m bench.plan` in memory.

Each prints what it measured beside a floor measured in the same run on the same machine, because the ratio travels
better than the seconds.
"""
