"""SIP: trunks and desk phones. Machines inside, one driver (agent.py), one module with sockets (transport.py).

The rest of the box sees only ``port.py``: events in the past tense, commands in the imperative, numbered by leg.
``loopback.py`` is the same port without a network.
"""
