"""The kit of `--report`."""
