"""How fast pynats is, as ratios against floors that run side by side: `make bench` or `python -m benchmarks`.

The floors and the generator import nothing of pynats, so that what is compared shares no code.
"""
