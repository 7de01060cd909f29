"""The operating system: signals, processes, memory, files. The only room that knows which system this is."""
