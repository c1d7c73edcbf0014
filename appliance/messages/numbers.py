"""Digits as people read them, and as they are typed on any keyboard."""

from __future__ import annotations

from appliance.messages import Language

_TO_PERSIAN = str.maketrans("0123456789", "۰۱۲۳۴۵۶۷۸۹")
_TO_LATIN = str.maketrans("۰۱۲۳۴۵۶۷۸۹٠١٢٣٤٥٦٧٨٩", "01234567890123456789")


def digits(value: object, language: Language) -> str:
    """``value`` with the digits of the language."""
    text = str(value)
    return text.translate(_TO_PERSIAN) if language == "fa" else text


def latin(text: str) -> str:
    """Persian and Arabic digits as 0 to 9."""
    return text.translate(_TO_LATIN)
