"""What a run has to be like: on each reply, and on the figures of all."""
