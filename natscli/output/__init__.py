"""What people and programs see. Imports neither click nor nats-py."""
