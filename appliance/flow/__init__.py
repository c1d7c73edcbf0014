"""The caller's way through the menu, as data. No I/O and no clock below model.py's loader."""
