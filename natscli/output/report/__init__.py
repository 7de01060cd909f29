"""The kit of `--report`: one HTML file without scripts, of figures, tables and charts. It knows no feature."""
