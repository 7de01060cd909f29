"""Records of exchanges, in one format: written as lines of JSON, read from files, by hand or recorded."""
