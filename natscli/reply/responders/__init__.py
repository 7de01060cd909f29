"""What answers requests: the interface, one file an option, what is wrapped around one."""
