#!/usr/bin/env python3
"""Opens one sealed part without planc: writes it as a plain part on a new directory device, from
which reader.py restores. Made from the documentation of the format alone (src/media: keys/mod.rs,
keys/aead.rs, pack.rs, sealed.rs).

    unseal.py DEVICE MANIFEST KEYFILE NEWDEVICE

Needs the command line tool `age` and the package `cryptography`."""
import json, struct, subprocess, sys
from pathlib import Path
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
import reader

def derive(context, material):
    """BLAKE3's key derivation."""
    key = reader.tree(context.encode(), mode=32)
    return struct.pack("<8I", *reader.tree(material, key=key, mode=64))

def open_envelope(envelope, keyfile):
    """Secret and bound of a set, one after the other."""
    tool = subprocess.run(["age", "-d", "-i", keyfile], input=envelope, capture_output=True)
    reader.check(tool.returncode == 0, f"no key in {keyfile} opens it: {tool.stderr.decode()}, or it")
    first, owner, run = tool.stdout.decode().splitlines()[:3]
    words = [owner.removeprefix("set ").encode(), run.removeprefix("run ").encode()]
    bound = reader.blake(b"".join(struct.pack("<Q", len(word)) + word for word in words))
    return bytes.fromhex(first.removeprefix("planc-seal/1 ")), bound

def open_manifest(path, keyfile):
    data = path.read_bytes()
    magic, codec, cipher, head, size, stored, envelope, salt = struct.unpack_from("<10sBBIQQI16s", data)
    reader.check(magic == b"PLANCMAN\1\0" and cipher == 1, path)
    at = 64 + head + envelope
    secret, bound = open_envelope(data[64 + head:at], keyfile)
    key = AESGCM(derive("planc-seal/1 object", secret + bound + salt))
    body = key.decrypt(bytes(12), data[at:at + stored], data[:at])
    return json.loads(reader.CODECS[codec](body, size)), secret, bound

def open_frame(stored, secret, bound, pack, number):
    key = AESGCM(derive("planc-seal/1 pack", secret + bound + struct.pack("<Q", pack)))
    nonce = struct.pack("<B3xQ", 0, number)
    return key.decrypt(nonce, stored, b"PLANCPAKFRM1" + struct.pack("<QQ", pack, number) + bound)

def plain_packs(device, found, secret, bound, target):
    """Writes the packs; the rows of frames get their new places."""
    packs = [bytearray() for _ in found["packs"]]
    for number, row in enumerate(found["frames"]):
        with open(device / found["packs"][row[0]]["name"], "rb") as file:
            file.seek(row[1])
            frame = open_frame(file.read(row[2]), secret, bound, row[0], number)
        row[1:3] = len(packs[row[0]]), len(frame)
        packs[row[0]] += frame
    for pack, content in zip(found["packs"], packs):
        path = target / pack["name"]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)

def plain_manifest(found, path):
    found["keys"] = []
    body = json.dumps(found).encode()
    data = struct.pack("<10sBBIQQ32s", b"PLANCMAN\1\0", 0, 0, 0, len(body), len(body), reader.blake(body))
    data += body + struct.pack("<Q", len(data) + len(body) + 48)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data + reader.blake(data) + b"PLANCEND")

device, manifest, keyfile, target = Path(sys.argv[1]), sys.argv[2], sys.argv[3], Path(sys.argv[4])
found, secret, bound = open_manifest(device / manifest, keyfile)
plain_packs(device, found, secret, bound, target)
plain_manifest(found, target / manifest)
