"""Whom the office wants to call: lists that agents work through one by one, and who is never to be called by one.

Pure but for ``commands``: calls writes the records and dials (calls/lists.py, calls/list_call.py).
"""
