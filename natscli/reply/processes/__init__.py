"""All of --processes: the parent, its children, the memory they share."""
