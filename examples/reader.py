#!/usr/bin/env python3
"""Reads what planc stored, without planc: made from the documentation of the format alone
(src/media: pack.rs, sealed.rs, manifest.rs, content.rs, name.rs).

    reader.py DEVICE                  list the parts on a directory device
    reader.py DEVICE MANIFEST FOLDER  restore a part and what it builds on into a new folder

Every hash is checked: quickly with the package `blake3`, slowly without. Zstandard comes from the
package `zstandard` or from the command line tool `zstd`."""
import io, json, os, re, shutil, struct, subprocess, sys
from functools import lru_cache
from pathlib import Path

IV = [0x6A09E667, 0xBB67AE85, 0x3C6EF372, 0xA54FF53A,
      0x510E527F, 0x9B05688C, 0x1F83D9AB, 0x5BE0CD19]
ORDER = [2, 6, 3, 10, 7, 0, 4, 13, 1, 11, 12, 5, 9, 14, 15, 8]
MIXES = [(0, 4, 8, 12), (1, 5, 9, 13), (2, 6, 10, 14), (3, 7, 11, 15),
         (0, 5, 10, 15), (1, 6, 11, 12), (2, 7, 8, 13), (3, 4, 9, 14)]

def compress(chain, words, counter, length, flags):
    """One block of BLAKE3."""
    v = [*chain, *IV[:4], counter & 0xFFFFFFFF, counter >> 32, length, flags]
    for _ in range(7):
        for n, (a, b, c, d) in enumerate(MIXES):
            for word, down, right in ((words[2 * n], 16, 12), (words[2 * n + 1], 8, 7)):
                v[a] = v[a] + v[b] + word & 0xFFFFFFFF
                v[d] = ((v[d] ^ v[a]) * 0x100000001 >> down) & 0xFFFFFFFF
                v[c] = v[c] + v[d] & 0xFFFFFFFF
                v[b] = ((v[b] ^ v[c]) * 0x100000001 >> right) & 0xFFFFFFFF
        words = [words[n] for n in ORDER]
    return [v[n] ^ v[n + 8] for n in range(8)]
def tree(data, first=0, root=8, key=IV, mode=0):
    """BLAKE3 of chunks, of which the first has the number `first`, as eight words."""
    if len(data) > 1024:
        left, more = 1024 << ((len(data) - 1) // 1024).bit_length() - 1, (0, key, mode)
        pair = tree(data[:left], first, *more) + tree(data[left:], first + left // 1024, *more)
        return compress(key, pair, 0, 64, 4 | root | mode)
    chain, last = key, max(len(data) - 1, 0) // 64 * 64
    for at in range(0, last + 1, 64):
        block, flags = data[at:at + 64], mode | (at == 0) | (2 | root if at == last else 0)
        words = struct.unpack("<16I", block.ljust(64, b"\0"))
        chain = compress(chain, words, first, len(block), flags)
    return chain
@lru_cache(8)  # a window of a large file is a whole frame, whose hash is known
def blake(data):
    try:
        from blake3 import blake3
        return blake3(data).digest()
    except ImportError:
        return struct.pack("<8I", *tree(data))
def unzstd(data, length):
    try:
        import zstandard
        return zstandard.ZstdDecompressor().stream_reader(data, read_across_frames=True).read(length)
    except ImportError:
        return subprocess.run(["zstd", "-dcq"], input=data, capture_output=True).stdout
def unlz4(data, _length):
    out, file = bytearray(), io.BytesIO(data)
    def count(start):
        more = 255 if start == 15 else 0
        while more == 255:
            more = file.read(1)[0]
            start += more
        return start
    while token := file.read(1):
        out += file.read(count(token[0] >> 4))
        if back := file.read(2):
            for _ in range(count(token[0] & 15) + 4):
                out.append(out[-int.from_bytes(back, "little")])
    return bytes(out)

CODECS = [lambda data, _: data, unlz4, unzstd]
def check(good, what):
    if not good:
        sys.exit(f"{what} is damaged or of another version")
def plain(codec, data, length, digest, what):
    out = CODECS[codec](data, length)
    check(len(out) == length and blake(out) == digest, what)
    return out
def manifest(path):
    data = path.read_bytes()
    length, digest, end = struct.unpack("<Q32s8s", data[-48:])
    check(end == b"PLANCEND" and length == len(data) and digest == blake(data[:-40]), path)
    magic, codec, cipher, head, size, stored, digest = struct.unpack_from("<10sBBIQQ32s", data)
    check(magic == b"PLANCMAN\1\0" and cipher == 0, f"{path} is sealed (see unseal.py), or")
    found = json.loads(plain(codec, data[64 + head:64 + head + stored], size, digest, path))
    check(found["format"] == "planc-part/1" and not found["keys"], path)
    return found
def read_frame(device, found, number):
    pack, offset, stored, length, digest = found["frames"][number]
    path = device / found["packs"][pack]["name"]
    while (later := path.with_name(f"{path.stem}.{int(path.suffix[1:] or 0) + 1}")).exists():
        path = later
    with open(path, "rb") as file:
        file.seek(offset)
        data = file.read(stored)
    magic, size, body, codec = struct.unpack_from("<4sIIB", data)
    check(magic == b"FRM1" and size == length and body == len(data) - 48, path)
    return plain(codec, data[48:], length, bytes.fromhex(digest), f"{path} at {offset}")
def place(folder, name):
    path = unescape(name)
    check(path == b"." or not {b"..", b".", b""} & set(path.split(b"/")), name)
    return os.path.join(os.fsencode(folder), path)
def unescape(text):
    return re.sub(rb"%(..)", lambda hit: bytes.fromhex(hit[1].decode()), text.encode())
def escape(part):
    return re.sub(rb"[^a-z0-9.-]|^[.]", lambda hit: b"_%02x" % hit[0][0], part.encode()).decode()
def restore_file(path, over, length, digest, extents, frame):
    if over:
        shutil.copyfile(over, path)
    with open(path, "r+b" if over else "wb") as file:
        for at, number, offset, size in extents:
            file.seek(at)
            file.write(frame(number)[offset:offset + size])
        file.truncate(length)
    with open(path, "rb") as file:  # of a file over another only the frames have hashes
        windows = iter(lambda: b"" if over else file.read(1 << 20), b"")
        sums = [blake(window) for window in windows] or [blake(b"")]
    check(over or (blake(b"".join(sums)) if sums[1:] else sums[0]).hex() == digest, path)
def restore(device, found, folder):
    frame, below = lru_cache(1)(lambda number: read_frame(device, found, number)), folder + ".below"
    if found["base"]:
        restore(device, manifest(device / f"parts/{escape(found['base'])}.manifest"), below)
    os.mkdir(folder)
    # links last: nothing is written through them
    order = lambda entry: {"hardlink": 1, "symlink": 2}.get(entry[1]["type"], 0)
    for name, kind, *_, length, digest, extents in sorted(found["entries"], key=order):
        path = place(folder, name)
        match kind["type"]:
            case "directory": os.makedirs(path, exist_ok=True)
            case "symlink": os.symlink(unescape(kind["target"]), path)
            case "hardlink": os.link(place(folder, kind["target"]), path)
            case "fifo": os.mkfifo(path)
            case "over": restore_file(path, place(below, name), length, digest, extents, frame)
            case _: restore_file(path, None, length, digest, extents, frame)
    # folders last, since what is made in them changes their times
    for name, kind, mode, _, _, (seconds, nanos), *_ in reversed(found["entries"]):
        if kind["type"] in ("file", "directory", "over"):
            os.chmod(place(folder, name), mode)
            os.utime(place(folder, name), ns=(0, seconds * 10**9 + nanos))
    shutil.rmtree(below, ignore_errors=True)

if __name__ == "__main__":
    device = Path(sys.argv[1])
    if len(sys.argv) == 4:
        sys.exit(restore(device, manifest(device / sys.argv[2]), sys.argv[3]))
    for path in sorted(device.glob("parts/*.manifest")):
        found = manifest(path)
        print(path.relative_to(device), found["component"], found["ended"]["taken_at"],
              found["bytes"], sep="\t")
