"""Sets of small numbers as the bits of one integer."""

from __future__ import annotations

from collections.abc import Iterable


def bit_set(numbers: Iterable[int], size: int) -> int:
    """Return the integer whose bits are some numbers, all less than `size`, in linear time.

    To set the bits of an integer one after the other copies it each time, which is quadratic.

    >>> bin(bit_set([4, 1], 5))
    '0b10010'
    """
    data = bytearray(size // 8 + 1)
    for number in numbers:
        data[number >> 3] |= 1 << (number & 7)
    return int.from_bytes(data, "little")


def next_members(bits: int, starts: int) -> int:
    """Return the first member of a set at or after each of some places, for all places at once.

    >>> bin(next_members(0b1000100, 0b1001))
    '0b1000100'
    """
    # The numbers that are not members form runs of ones in `gaps`. To add a place in a run carries a one
    # through the rest of the run, to the member after it:
    #
    #     bits     1000100
    #     gaps    ...10111011     (the run above the last member has no end)
    #     places     1001
    #     sum     ...11000100     of gaps and the places in them: here each run is carried to its end
    gaps = ~bits
    return (starts | (starts & gaps) + gaps) & bits
