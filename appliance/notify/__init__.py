"""What the box writes to people: SMS to callers who may have it, e-mail and SMS to the owner.

A plan without I/O decides what goes when (``outbox``), adapters carry it out (``mail``, and ``lookup.gateway`` for
SMS); the process calls drives both (calls/notices.py), because it alone has the secrets, the outbound policy and the
records. Nothing here ever waits in the loop of the calls.
"""
