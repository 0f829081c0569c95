# SPDX-License-Identifier: GPL-3.0-or-later
"""HPACK (RFC 7541) both ways: an encoder that can also write what no proper
encoder writes, and a decoder that forgives nothing."""

STATIC = [(name, value) for name, _, value in (
    entry.partition("=") for entry in """
:authority
:method=GET :method=POST
:path=/ :path=/index.html
:scheme=http :scheme=https
:status=200 :status=204 :status=206 :status=304 :status=400 :status=404
:status=500
accept-charset accept-encoding=gzip,~deflate accept-language accept-ranges
accept access-control-allow-origin age allow authorization cache-control
content-disposition content-encoding content-language content-length
content-location content-range content-type cookie date etag expect expires
from host if-match if-modified-since if-none-match if-range
if-unmodified-since last-modified link location max-forwards
proxy-authenticate proxy-authorization range referer refresh retry-after
server set-cookie strict-transport-security transfer-encoding user-agent vary
via www-authenticate
""".split())]
STATIC = [(name.encode(), value.replace("~", " ").encode())
          for name, value in STATIC]

# Appendix B as lengths alone: of two codes of one length the smaller symbol
# has the smaller code, so they determine the codes.  The last one is EOS.
LENGTHS = bytes.fromhex("""
0d171c1c1c1c1c1c1c181e1c1c1e1c1c 1c1c1c1c1c1c1e1c1c1c1c1c1c1c1c1c
060a0a0c0d06080b0a0a080b08060606 05050506060606060606 07080f060c0a
0d060707070707070707070707070707 0707070707070707080708 0d130d0e06
0f050605060506060605070706060605 060706050506070707 07070f0b0e0d1c
14161414161616171617171717171817 181816171817171717 15161716171718
16151416161717151716161815161717 15151615171617171416161617161617
1a1a1413161716191a1a1a1b1b1a1819 13151a1b1b1a1b1815151a1a1c1b1b1b
14181415161515171616191918181a17 1a1b1a1a1b1b1b1b1b1c1b1b1b1b1b1a
1e""")
EOS = 256
ENTRY = 32  # what an entry counts beside its text (4.1)
INTEGER_MAX = 1 << 32


def _codes():
    codes, code, last = {}, 0, 0
    for length, symbol in sorted((n, s) for s, n in enumerate(LENGTHS)):
        code <<= length - last
        codes[symbol] = (code, length)
        code, last = code + 1, length
    return codes


CODES = _codes()
SYMBOLS = {(length, code): symbol
           for symbol, (code, length) in CODES.items()}


class Wrong(Exception):
    """The section is not HPACK."""


# ----------------------------------------------------------------- Huffman


def huffman(data, pad="1"):
    """data: bytes or a list of symbols (256 is EOS)."""
    bits = "".join(format(code, f"0{length}b")
                   for code, length in (CODES[s] for s in data))
    while len(bits) % 8:
        bits += pad
    return bytes(int(bits[i:i + 8], 2) for i in range(0, len(bits), 8))


def unhuffman(data):
    out, code, length = bytearray(), 0, 0
    for byte in data:
        for shift in range(7, -1, -1):
            code, length = code << 1 | byte >> shift & 1, length + 1
            symbol = SYMBOLS.get((length, code))
            if symbol == EOS:
                raise Wrong("EOS in a string")
            if symbol is not None:
                out.append(symbol)
                code, length = 0, 0
    if length > 7 or code != (1 << length) - 1:
        raise Wrong("padding")
    return bytes(out)


# ------------------------------------------------- representations, one each


def integer(value, prefix, first=0):
    limit = (1 << prefix) - 1
    if value < limit:
        return bytes([first | value])
    out, value = [first | limit], value - limit
    while value >= 128:
        out.append(value % 128 | 128)
        value //= 128
    return bytes([*out, value])


def string(data, huff=False):
    data = data.encode() if isinstance(data, str) else data
    if not huff:
        return integer(len(data), 7) + data
    coded = huffman(data)
    return integer(len(coded), 7, 0x80) + coded


def indexed(index):
    return integer(index, 7, 0x80)


def size_update(size):
    return integer(size, 5, 0x20)


# How a literal is kept: first byte, bits of its index.
KEEP, PLAIN, NEVER = (0x40, 6), (0, 4), (0x10, 4)


def literal(name, value, how=PLAIN, huff=False):
    """name: text, or the index of an entry that has it."""
    first, prefix = how
    if isinstance(name, int):
        return integer(name, prefix, first) + string(value, huff)
    return bytes([first]) + string(name, huff) + string(value, huff)


# ------------------------------------------------------------ whole sections


class Table:
    """The dynamic table: entries newest first."""

    def __init__(self, size=4096):
        self.max, self.entries = size, []

    def size(self):
        return sum(ENTRY + len(n) + len(v) for n, v in self.entries)

    def resize(self, size):
        self.max = size
        while self.size() > self.max:
            self.entries.pop()

    def add(self, name, value):
        self.entries.insert(0, (name, value))
        self.resize(self.max)

    def at(self, index):
        if index == 0:
            raise Wrong("index 0")
        if index <= len(STATIC):
            return STATIC[index - 1]
        if index - len(STATIC) > len(self.entries):
            raise Wrong(f"index {index}, the table has {len(self.entries)}")
        return self.entries[index - len(STATIC) - 1]

    def find(self, name, value):
        """(index of the field, index of its name), 0: none."""
        same = 0
        for index, entry in enumerate(STATIC + self.entries, 1):
            if entry == (name, value):
                return index, index
            if entry[0] == name and not same:
                same = index
        return 0, same


class Encoder:
    """What a proper client writes."""

    def __init__(self, huff=True):
        self.table, self.huff, self.smallest = Table(), huff, None

    def limit(self, size):
        """The other side's SETTINGS_HEADER_TABLE_SIZE."""
        self.smallest = min(
            size, size if self.smallest is None else self.smallest)
        self.table.resize(size)

    def encode(self, fields):
        out = b""
        if self.smallest is not None:
            if self.smallest < self.table.max:
                out += size_update(self.smallest)
            out += size_update(self.table.max)
            self.smallest = None
        for name, value in fields:
            name, value = (x.encode() if isinstance(x, str) else x
                           for x in (name, value))
            whole, same = self.table.find(name, value)
            if whole:
                out += indexed(whole)
            else:
                out += literal(same or name, value, KEEP, self.huff)
                self.table.add(name, value)
        return out


class Decoder:
    """Takes sections apart; every deviation from RFC 7541 is Wrong."""

    def __init__(self, size=4096):
        self.table, self.limit = Table(size), size
        self.owed = None  # smallest limit not yet answered by an update
        self.never = []   # fields of the last section marked so

    def set_limit(self, size):
        """Our SETTINGS_HEADER_TABLE_SIZE was acknowledged."""
        if size < self.table.max:
            self.owed = min(size, size if self.owed is None else self.owed)
        self.limit = size

    def decode(self, data):
        self.data, self.at, self.never = data, 0, []
        fields = []
        while self.at < len(data):
            field = self._next(not fields)
            if field is not None:
                self._paid()
                fields.append(field)
        self._paid()
        return fields

    def _paid(self):
        if self.owed is not None:
            raise Wrong("the table's new limit was not answered (4.2)")

    def _next(self, first):
        byte = self._byte(keep=True)
        if byte & 0x80:
            return self.table.at(self._integer(7))
        if byte & 0x60 == 0x20:
            return self._resize(self._integer(5), first)
        field = self._literal(6 if byte & 0x40 else 4)
        if byte & 0x40:
            self.table.add(*field)
        elif byte & 0x10:
            self.never.append(field)
        return field

    def _resize(self, size, first):
        if not first:
            raise Wrong("an update after a field")
        if size > self.limit:
            raise Wrong("an update above the limit")
        if self.owed is not None and size <= self.owed:
            self.owed = None
        self.table.resize(size)

    def _literal(self, prefix):
        index = self._integer(prefix)
        name = self.table.at(index)[0] if index else self._string()
        return name, self._string()

    def _byte(self, keep=False):
        if self.at >= len(self.data):
            raise Wrong("the section ends early")
        self.at += not keep
        return self.data[self.at - (not keep)]

    def _integer(self, prefix):
        limit = (1 << prefix) - 1
        value, shift = self._byte() & limit, 0
        if value < limit:
            return value
        while True:
            byte = self._byte()
            value += (byte & 127) << shift
            shift += 7
            if value >= INTEGER_MAX:
                raise Wrong("an integer too large")
            if not byte & 128:
                return value

    def _string(self):
        coded = self._byte(keep=True) & 0x80
        size = self._integer(7)
        if size > len(self.data) - self.at:
            raise Wrong("a string longer than its section")
        text = self.data[self.at:self.at + size]
        self.at += size
        return unhuffman(text) if coded else text
