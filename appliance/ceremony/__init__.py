"""Keys for people who lose things: made, printed, tried with the paper, changed with a signature; never on the box.

The owner's machine runs this room; of it the box meets only what the owner signed (recorder/signed.py, custody.py).
"""
