"""Whom the office knows: names, numbers and marks; read from files of other programs, and written for them.

Pure but for ``commands``: nothing here opens a database for writing. Contacts are changed by orders to calls alone.
"""
