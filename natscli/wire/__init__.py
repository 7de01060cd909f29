"""nats-py, imported lightly and made to work on whole network reads: only here are its private names touched."""
