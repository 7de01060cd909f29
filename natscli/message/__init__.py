"""What is sent: payload sources, headers, subjects and body templates. Imports neither click nor nats-py."""
