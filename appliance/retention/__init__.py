"""How long recordings are kept, who may not lose them, how they are erased, and when the disk is full.

``plan`` and ``forecast`` decide and touch nothing; calls asks them and writes what they say into the records
(``calls.archive``), sync carries it out on the box and at the targets.
"""
