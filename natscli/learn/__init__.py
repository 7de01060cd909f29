"""`pynats learn`: the walkthrough inside the program; commands are typed by a person and run for real."""
