"""Figures of this machine, printed next to its disk's limit. `make bench`."""
