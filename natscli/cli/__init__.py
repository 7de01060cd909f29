"""The command line: the root group, the options that commands share, help."""
