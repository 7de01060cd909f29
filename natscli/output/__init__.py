"""What people and programs see. Knows neither click nor nats-py."""
