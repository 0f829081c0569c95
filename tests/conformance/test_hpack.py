# SPDX-License-Identifier: GPL-3.0-or-later
"""The peer's own HPACK against the examples of RFC 7541, so that what it
says of others can be believed."""
import pathlib

import pytest

import hpack

EXAMPLES = pathlib.Path(__file__).parent / "data/rfc7541-c.txt"


def examples():
    """(name, how it was written, table size, [(bytes, fields, size)])."""
    found = []
    for line in EXAMPLES.read_text().splitlines():
        if line.startswith("#"):
            continue
        if line.startswith("table "):
            _, size, name, how = line.split()
            found.append((name, how, int(size), []))
        elif line.startswith("= "):
            found[-1][3].append((data, fields, int(line[2:])))
        elif ": " not in line:
            data, fields = bytes.fromhex(line), []
        else:
            name, _, value = line.rpartition(": ") if line.startswith(
                ":") else line.partition(": ")
            fields.append((name.encode(), value.encode()))
    return found


@pytest.mark.parametrize("name, how, size, sections", examples(),
                         ids=lambda v: v if isinstance(v, str) else "")
def test_examples(name, how, size, sections):
    """7541 C: the examples, read and written"""
    decoder, encoder = hpack.Decoder(size), hpack.Encoder(how == "huffman")
    encoder.table.resize(size)
    for data, fields, after in sections:
        assert decoder.decode(data) == fields
        assert decoder.table.size() == after
        if how != "never-kept":
            assert encoder.encode(fields) == data
            assert encoder.table.entries == decoder.table.entries


def test_integers():
    """7541 C.1: integers"""
    assert hpack.integer(10, 5) == b"\x0a"
    assert hpack.integer(1337, 5) == b"\x1f\x9a\x0a"
    assert hpack.integer(42, 8) == b"\x2a"


def test_the_huffman_code_is_complete():
    """7541 B: every byte there and back; no code is left over"""
    assert sum(2.0 ** -n for n in hpack.LENGTHS) == 1.0
    assert hpack.CODES[hpack.EOS] == (2**30 - 1, 30)
    everything = bytes(range(256)) * 2
    assert hpack.unhuffman(hpack.huffman(everything)) == everything


@pytest.mark.parametrize("data", [
    b"\x80", b"\xbe", b"\x82\x3f\xe1\x1f", b"\x3f\xe2\x1f\x82", b"\x00\x05x",
    b"\xff" * 12, b"\x00\x01a", b"\x00\x01a\x81\x00", b"\x00\x01a\x82\x07\xff",
    b"\x00\x01a\x84\xff\xff\xff\xfc"])
def test_what_is_wrong_is_refused(data):
    """7541 3-6: the peer's decoder forgives nothing"""
    with pytest.raises(hpack.Wrong):
        hpack.Decoder().decode(data)


def test_a_smaller_table_must_be_acknowledged():
    """7541 4.2: the peer's decoder waits for the size update"""
    decoder = hpack.Decoder()
    decoder.set_limit(0)
    decoder.set_limit(100)
    with pytest.raises(hpack.Wrong):
        decoder.decode(b"\x82")
    decoder = hpack.Decoder()
    decoder.set_limit(0)
    decoder.set_limit(100)
    with pytest.raises(hpack.Wrong):
        decoder.decode(hpack.size_update(100) + b"\x82")
    assert decoder.decode(hpack.size_update(0) + hpack.size_update(100) +
                          b"\x82") == [(b":method", b"GET")]
