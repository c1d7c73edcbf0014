"""RTP: the voice of all calls, in one real-time loop of a process of its own.

Machines (rtp, dtmf, quality, prompts, ...) take ``now``; only engine.py and worker.py own sockets and clocks. The calls
process sees ``port.py`` and ``client.py``; ``loopback.py`` is the same port without sound.
"""
