"""All of --handler: loading a function, running it, loading it again when its code changes."""
