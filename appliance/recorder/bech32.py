"""Bech32 as age uses it (BIP 173, without its length limit): keys as text."""

from __future__ import annotations

_LETTERS = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
_GENERATOR = (0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)


def decode(text: str) -> tuple[str, bytes]:
    """Human-readable part and bytes; ValueError for a wrong letter, mixed case or a wrong checksum."""
    if text.lower() != text and text.upper() != text:
        raise ValueError("mixed case")
    text = text.lower()
    part, one, letters = text.rpartition("1")
    if not one or not part or len(letters) < 6:
        raise ValueError("not bech32")
    try:
        values = [_LETTERS.index(letter) for letter in letters]
    except ValueError as error:
        raise ValueError("not bech32") from error
    if _checksum(_expanded(part) + values) != 1:
        raise ValueError("checksum")
    return part, _regrouped(values[:-6])


def encode(part: str, data: bytes) -> str:
    values: list[int] = []
    bits = gathered = 0
    for byte in data:
        gathered = gathered << 8 | byte
        bits += 8
        while bits >= 5:
            bits -= 5
            values.append(gathered >> bits & 31)
    if bits:
        values.append(gathered << (5 - bits) & 31)
    check = _checksum(_expanded(part) + values + [0] * 6) ^ 1
    values += [check >> 5 * (5 - index) & 31 for index in range(6)]
    return part + "1" + "".join(_LETTERS[value] for value in values)


def _expanded(part: str) -> list[int]:
    return [ord(letter) >> 5 for letter in part] + [0] + [ord(letter) & 31 for letter in part]


def _checksum(values: list[int]) -> int:
    check = 1
    for value in values:
        top = check >> 25
        check = (check & 0x1FFFFFF) << 5 ^ value
        for index, generator in enumerate(_GENERATOR):
            if top >> index & 1:
                check ^= generator
    return check


def _regrouped(values: list[int]) -> bytes:
    out = bytearray()
    gathered = bits = 0
    for value in values:
        gathered = gathered << 5 | value
        bits += 5
        if bits >= 8:
            bits -= 8
            out.append(gathered >> bits & 255)
            gathered &= (1 << bits) - 1
    if bits >= 5 or gathered:
        raise ValueError("padding")
    return bytes(out)
