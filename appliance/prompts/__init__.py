"""Sounds that callers hear: spoken from texts, or recorded by people; measured, mended, or refused with why."""
