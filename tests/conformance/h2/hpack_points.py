# SPDX-License-Identifier: GPL-3.0-or-later
"""RFC 7541: what the server's decoder takes and what it refuses."""
import hpack
from hpack import KEEP, NEVER, indexed, integer, literal, size_update, string
from peer import setting
from points import add

POINTS, point = add("7541 ")
BROKEN = "connection COMPRESSION_ERROR"
FIRST = 62  # the newest entry of the dynamic table


def block(p, *parts):
    return b"".join([*(literal(*f) for f in p.get_fields()), *parts])


def section(number, text, want, *parts, before=b""):
    """A good request with these bytes behind its fields."""
    point(number, text, lambda p: p.raw(1, before + block(p, *parts)), want)


def sections(number, text, want, first, second):
    """Two requests; the second one is watched."""
    point(number, text, lambda p: (
        p.raw(1, block(p, first)), p.raw(3, block(p, second))), want, watch=3)


def coded(symbols, pad="1"):
    """A literal whose value is Huffman code, well formed or not."""
    data = hpack.huffman(symbols, pad)
    return b"\0" + string("x-a") + integer(len(data), 7, 0x80) + data


def coded_bytes(data):
    return b"\0" + string("x-a") + integer(len(data), 7, 0x80) + data


# 2.3.3, 6.1: indexes
section("6.1-a", "index 0", BROKEN, indexed(0))
section("2.3.3-a", "an index behind the static table, nothing is dynamic",
        BROKEN, indexed(FIRST))
section("2.3.3-b", "an index far behind", BROKEN, indexed(100000))
section("2.3.3-c", "the name of an entry that is not there", BROKEN,
        literal(FIRST, "1"))
section("2.3.3-d", "the newest entry", "200", literal("x-a", "1", KEEP),
        indexed(FIRST))
section("2.3.3-e", "the entry before the oldest", BROKEN,
        literal("x-a", "1", KEEP), indexed(FIRST + 1))
point("2.3.1-a", "every entry of the static table as a name",
      lambda p: p.raw(1, block(p), *[literal(i, "5") for i in range(15, 62)
                                     if i not in (28, 35, 38, 57)]), "200")

# 4: the dynamic table
section("4.2-a", "a size update above the setting", BROKEN,
        before=size_update(4097))
section("4.2-b", "a size update behind a field", BROKEN, size_update(100))
section("4.2-c", "two size updates before the first field", "200",
        before=size_update(0) + size_update(4096))
section("4.2-d", "an update to the size it has", "200",
        before=size_update(4096))
sections("4.3-a", "an update to 0 empties the table", BROKEN,
         literal("x-a", "1", KEEP), b"")
POINTS[-1] = POINTS[-1]._replace(send=lambda p: (
    p.raw(1, block(p, literal("x-a", "1", KEEP))),
    p.raw(3, size_update(0) + size_update(4096) + block(p, indexed(FIRST)))))
point("4.3-b", "a table of 0 bytes works",
      lambda p: p.raw(1, size_update(0) +
                      block(p, literal("x-a", "1", KEEP))), "200")
section("4.4-a", "an entry larger than the table empties it", BROKEN,
        literal("x-a", "1", KEEP), literal("x-b", "v" * 4096, KEEP),
        indexed(FIRST))
section("4.4-b", "such an entry is no error", "200",
        literal("x-b", "v" * 4096, KEEP))
section("4.4-c", "an entry that fills the table to the byte", "200",
        literal("x-b", "v" * (4096 - 32 - 3), KEEP), indexed(FIRST))
section("4.4-d", "the oldest entries go first", "200",
        literal("x-a", "1", KEEP), literal("x-b", "v" * 3900, KEEP),
        literal("x-c", "w" * 30, KEEP), indexed(FIRST), indexed(FIRST + 1))
section("4.4-e", "one that went is gone", BROKEN,
        literal("x-a", "1", KEEP), literal("x-b", "v" * 3900, KEEP),
        literal("x-c", "w" * 100, KEEP), indexed(FIRST + 2))
section("4.4-f", "a name from the entry that its own insertion evicts",
        "200", literal("x-b", "v" * 4000, KEEP),
        literal(FIRST, "w" * 4000, KEEP), indexed(FIRST))

# 5.1: integers
section("5.1-a", "an index of many bytes without an end", BROKEN,
        b"\xff" + b"\xff" * 20)
section("5.1-b", "an index beyond 32 bits", BROKEN,
        b"\xff" + b"\xff" * 9 + b"\x01")
section("5.1-c", "a length beyond the section", BROKEN,
        b"\0" + string("x-a") + integer(1000, 7))
section("5.1-d", "a length of 2^32-1", BROKEN,
        b"\0" + string("x-a") + integer(2**32 - 1, 7))
section("5.1-e", "a section that ends inside an integer", BROKEN,
        b"\0" + string("x-a") + b"\x7f\x80")
section("5.1-f", "a section that ends inside a name", BROKEN, b"\0\x05x-")
section("5.1-g", "a section that ends before the value", BROKEN,
        b"\0" + string("x-a"))
section("5.1-h", "an integer with a byte more than it needs", "200",
        b"\0" + string("x-a") + b"\x7f\x83\x00" + b"v" * 130)
section("5.1-i", "a size update beyond 32 bits", BROKEN,
        before=b"\x3f" + b"\xff" * 9 + b"\x01")

# 5.2: strings
section("5.2-a", "Huffman code padded with a whole byte", BROKEN,
        coded_bytes(hpack.huffman(b"0123") + b"\xff"))
section("5.2-b", "Huffman code padded with zeros", BROKEN, coded(b"a", "0"))
section("5.2-c", "Huffman code with EOS in it", BROKEN,
        coded([*b"ab", hpack.EOS, *b"c"]))
section("5.2-d", "Huffman code that is EOS alone", BROKEN,
        coded([hpack.EOS]))
section("5.2-e", "Huffman code that ends inside a symbol", BROKEN,
        coded_bytes(b"\xff\xff\xf8"))
section("5.2-f", "every byte a field value may have, as Huffman code", "200",
        coded([*b"v", *range(0x20, 0x7f), *range(0x80, 0x100), *b"v"]))
section("5.2-g", "a value of no bytes, as Huffman code", "200",
        coded_bytes(b""))
section("5.2-h", "a name in upper case, as Huffman code",
        "stream PROTOCOL_ERROR | connection PROTOCOL_ERROR",
        literal("X-A", "1", huff=True))

# 6.2: literals
section("6.2.1-a", "a literal that is kept, used twice", "200",
        literal("x-a", "1", KEEP), indexed(FIRST), indexed(FIRST))
section("6.2.2-a", "a literal that is not kept", BROKEN,
        literal("x-a", "1"), indexed(FIRST))
section("6.2.3-a", "a literal that never is kept", BROKEN,
        literal("x-a", "1", NEVER), indexed(FIRST))
section("6.2.3-b", "never-indexed with the name of the static table", "200",
        literal(23, "Bearer x", NEVER))
sections("6.2.1-b", "what one stream keeps another uses", "200",
         literal("x-a", "1", KEEP), indexed(FIRST))
point("C-a", "ten requests of a proper encoder",
      lambda p: [p.request(i, p.get_fields(extra=[
          ("x-n", str(i // 4)), ("user-agent", "conformance")]))
          for i in range(1, 21, 2)], "200", watch=19)
point("4.2-e", "SETTINGS_HEADER_TABLE_SIZE is the decoder's alone: an update "
      "above the server's while ours is larger",
      lambda p: p.raw(1, size_update(8192) + block(p)), BROKEN,
      settings=setting(1, 65536))
