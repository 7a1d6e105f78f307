"""As much of CBOR (RFC 8949) as the NSM speaks.

Written here, since it is a hundred lines, and a payload then has nothing to
trust or measure beside this package. Numbers with a point and simple values
other than false, true and null are refused: no message has them.
"""

__all__ = ["CborError", "Tagged", "decode", "encode"]

DEPTH = 8


class CborError(ValueError):
    """The bytes are not what may be expected of an NSM."""


class Tagged:
    """A value and the number it is tagged with."""

    def __init__(self, tag, value):
        self.tag = tag
        self.value = value


def encode(value):
    """The shortest definite form, keys in the order they are given in."""
    if value is None:
        return b"\xf6"
    if isinstance(value, bool):
        return b"\xf5" if value else b"\xf4"
    if isinstance(value, int):
        return _head(0, value) if value >= 0 else _head(1, -1 - value)
    if isinstance(value, (bytes, bytearray, memoryview)):
        value = bytes(value)
        return _head(2, len(value)) + value
    if isinstance(value, str):
        text = value.encode()
        return _head(3, len(text)) + text
    if isinstance(value, (list, tuple)):
        return _head(4, len(value)) + b"".join(map(encode, value))
    if isinstance(value, dict):
        parts = (encode(key) + encode(item) for key, item in value.items())
        return _head(5, len(value)) + b"".join(parts)
    raise TypeError(f"{type(value).__name__} has no place in a message")


def _head(major, argument):
    if argument < 24:
        return bytes([major << 5 | argument])
    for code, size in ((24, 1), (25, 2), (26, 4), (27, 8)):
        if argument < 1 << 8 * size:
            return bytes([major << 5 | code]) + argument.to_bytes(size, "big")
    raise OverflowError("more than 64 bits")


def decode(data):
    """The one value that these bytes are. None may be left over."""
    reader = _Reader(bytes(data))
    value = reader.value(DEPTH)
    if reader.at != len(reader.data):
        raise CborError(f"{len(reader.data) - reader.at} bytes after the value")
    return value


class _Reader:
    def __init__(self, data):
        self.data = data
        self.at = 0

    def take(self, size):
        if size > len(self.data) - self.at:
            raise CborError("it ends too early")
        self.at += size
        return self.data[self.at - size : self.at]

    def head(self):
        """Major type and argument, which is None for an indefinite length."""
        first = self.take(1)[0]
        major, code = first >> 5, first & 31
        if code < 24:
            return major, code
        if code < 28 and major != 7:
            return major, int.from_bytes(self.take(1 << code - 24), "big")
        if code == 31 and 2 <= major <= 5:
            return major, None
        raise CborError(f"the byte {first:#04x} begins nothing that a message has")

    def at_break(self):
        if self.data[self.at : self.at + 1] != b"\xff":
            return False
        self.at += 1
        return True

    def turns(self, count):
        """One turn for each item, up to a break where their number is not told."""
        if count is None:
            while not self.at_break():
                yield
        elif count > len(self.data) - self.at:
            raise CborError("it ends too early")
        else:
            yield from (None for _ in range(count))

    def value(self, depth):
        if depth == 0:
            raise CborError("nested too deeply")
        major, argument = self.head()
        if major == 0:
            return argument
        if major == 1:
            return -1 - argument
        if major == 2:
            return self.string(major, argument)
        if major == 3:
            try:
                return self.string(major, argument).decode()
            except UnicodeDecodeError:
                raise CborError("text that is not UTF-8") from None
        if major == 4:
            return [self.value(depth - 1) for _ in self.turns(argument)]
        if major == 5:
            return self.map(argument, depth - 1)
        if major == 6:
            return Tagged(argument, self.value(depth - 1))
        if argument in _SIMPLE:
            return _SIMPLE[argument]
        raise CborError("a simple value that no message has")

    def string(self, major, size):
        if size is not None:
            return self.take(size)
        parts = []
        while not self.at_break():
            kind, size = self.head()
            if kind != major or size is None:
                raise CborError("a string is made of something else")
            parts.append(self.take(size))
        return b"".join(parts)

    def map(self, count, depth):
        found = {}
        for _ in self.turns(count):
            key = self.value(depth)
            if isinstance(key, bool) or not isinstance(key, (int, str)):
                raise CborError("a key is neither a number nor a text")
            if key in found:
                raise CborError(f"the key {key!r} is there twice")
            found[key] = self.value(depth)
        return found


_SIMPLE = {20: False, 21: True, 22: None}
