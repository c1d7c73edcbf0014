"""What an outsider can check: one conversation with its sound, its events and their signatures, in a folder.

``proof`` makes the folder, with the owner's key; ``report`` writes it down for people, as a ``page`` and on ``paper``;
``check`` is the program that goes with it: one file that needs Python and the library `cryptography`, and nothing of
Pasokh; ``verify`` is a second opinion by our own rooms. A folder holds no key but those of its own recordings, and of
other conversations only hashes.
"""
