"""Find a nats-server and run it for development."""
