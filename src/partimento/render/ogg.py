"""Ogg pages with a serial number of our own, so that the same sound is the same bytes (RFC 3533).

libsndfile draws each stream's serial number at random. A page's checksum is a CRC-32 with the polynomial of zlib's, of
bits in the other order and without its inversions.
"""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

SERIAL = 1
_REVERSED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))


def make_reproducible(path: Path) -> None:
    """Give the one stream of an Ogg file the serial number `SERIAL`, in place."""
    data = bytearray(path.read_bytes())
    start = 0
    while data[start : start + 4] == b"OggS":
        segments = data[start + 26]
        stop = start + 27 + segments + sum(data[start + 27 : start + 27 + segments])
        struct.pack_into("<II", data, start + 14, SERIAL, struct.unpack_from("<I", data, start + 18)[0])
        data[start + 22 : start + 26] = bytes(4)
        struct.pack_into("<I", data, start + 22, _checksum(bytes(data[start:stop])))
        start = stop
    path.write_bytes(data)


def _checksum(page: bytes) -> int:
    mirrored = zlib.crc32(page.translate(_REVERSED), 0xFFFFFFFF) ^ 0xFFFFFFFF
    return int(f"{mirrored:032b}"[::-1], 2)
