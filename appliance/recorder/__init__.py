"""Speech marked, sealed as it arrives: age container, speech marks, keys, journal, recovery.

Used inside the media process (live.py) and on the owner's machine (reading, keys, export). Never opens what it wrote:
the box holds public keys only.
"""
