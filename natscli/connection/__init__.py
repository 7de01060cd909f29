"""From settings to a connected client: its options, the first connection, reconnecting, failures as messages."""
