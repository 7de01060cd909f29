"""What is sent: payload sources, headers, subjects and body templates. Knows neither click nor nats-py."""
