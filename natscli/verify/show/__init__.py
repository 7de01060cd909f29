"""What is seen of a verification: lines and diffs, JSON, JUnit XML."""
