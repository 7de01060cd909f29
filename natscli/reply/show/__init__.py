"""What is seen of requests that are answered: lines, JSON, figures."""
