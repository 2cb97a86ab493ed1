"""Benchmarks: each module measures one thing and its baseline in the same run. `python -m bench` runs them."""
