"""All of request --processes: the parent and its children."""
