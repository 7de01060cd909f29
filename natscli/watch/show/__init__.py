"""What is seen of exchanges: lines, tables by subject, JSON."""
