"""What is seen of requests and replies: lines, tables, progress, the summary, files."""
