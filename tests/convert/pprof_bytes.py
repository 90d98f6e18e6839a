# SPDX-License-Identifier: Apache-2.0
"""pprof files made by hand, as strangely as their writers may: only what Protocol Buffers want."""


def varint(value):
    value &= (1 << 64) - 1
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7f | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def number(field, value):
    return varint(field << 3) + varint(value)


def data(field, content):
    return varint(field << 3 | 2) + varint(len(content)) + content


def packed(field, values):
    return data(field, b''.join(map(varint, values)))


def single(field, values):
    return b''.join(number(field, value) for value in values)


class Profile:
    """Collects messages; what follows what is up to the caller."""
    def __init__(self, *types, run=packed):
        self.run = run  # how repeated numbers are stored
        self.strings = ['']
        self.parts = [self.type(1, *type_.split('/')) for type_ in types]

    def text(self, text):
        if text not in self.strings:
            self.strings.append(text)
        return self.strings.index(text)

    def type(self, field, name, unit):
        return data(field, number(1, self.text(name)) + number(2, self.text(unit)))

    def add(self, part):
        self.parts.append(part)

    def mapping(self, id_, file='', start=0, limit=0, offset=0, build_id='', flags=()):
        self.add(data(3, number(1, id_) + number(2, start) + number(3, limit) + number(4, offset) +
                      number(5, self.text(file)) + number(6, self.text(build_id)) +
                      b''.join(number(flag, 1) for flag in flags)))

    def function(self, id_, name, system=None, file='', line=0):
        self.add(data(5, number(1, id_) + number(2, self.text(name)) +
                      number(3, self.text(name if system is None else system)) +
                      number(4, self.text(file)) + number(5, line)))

    def location(self, id_, *lines, mapping=0, address=0):
        """lines: (function, line), innermost first."""
        self.add(data(4, number(1, id_) + number(2, mapping) + number(3, address) + b''.join(
            data(4, number(1, function) + number(2, line)) for function, line in lines)))

    def sample(self, locations, values, **labels):
        """labels: a text, a number or (number, unit)."""
        content = b''
        for key, label in labels.items():
            if isinstance(label, str):
                inner = number(2, self.text(label))
            elif isinstance(label, tuple):
                inner = number(3, label[0]) + number(4, self.text(label[1]))
            else:
                inner = number(3, label)
            content += data(3, number(1, self.text(key)) + inner)
        self.add(data(2, self.run(1, locations) + self.run(2, values) + content))

    def table(self):
        return b''.join(data(6, text.encode('utf-8', 'surrogateescape')) for text in self.strings)

    def bytes(self):
        """Strings come last, as Go and most others have it."""
        return b''.join(self.parts) + self.table()

    def backwards(self):
        """What is named comes before what names it."""
        types = [part for part in self.parts if part[0] == 1 << 3 | 2]
        others = [part for part in self.parts if part[0] != 1 << 3 | 2]
        return self.table() + b''.join(reversed(others)) + b''.join(types)
