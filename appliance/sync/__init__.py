"""Upstream without loss: records and sealed recordings leave the box once, whole, and with a receipt.

What is to go is cut into immutable, numbered units (``feed``), each target has its own position in them and its own
machine (``plan``), a worker per target carries out what the machine says (``worker``), and adapters that each import
their library only where it is configured do the talking (``folder``, ``s3``, ``sftp``, ``smb``, ``webhook``,
``daily``). Nothing counts as sent before it was read back and its digest agreed; then calls writes the receipt as an
event.
"""
