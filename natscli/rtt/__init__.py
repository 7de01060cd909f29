"""RTT to the servers: measured with PINGs, shown as a table or JSON."""
