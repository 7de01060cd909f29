"""What is seen of messages: lines, JSON, counts by subject."""
