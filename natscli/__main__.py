"""`python -m natscli` is the same program as `pynats`."""

from natscli.cli import main

if __name__ == "__main__":
    main()
