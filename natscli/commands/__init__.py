"""One thin file a command: declare the options, wire the parts."""
