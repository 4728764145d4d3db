# SPDX-License-Identifier: Apache-2.0
"""What the TLS client of proxy_conform.py needs of cryptography: libcrypto's keys, AEADs and signatures, and HKDF.

The hybrid groups are put together here from their two halves, as the drafts say, and not with libcrypto's own
hybrid keys: so the order of the halves is checked by something that libssl did not decide.
"""
import ctypes
import hashlib
import hmac

LIB = ctypes.CDLL("libcrypto.so.3")
for _name in ("EVP_PKEY_CTX_new_from_name", "EVP_PKEY_CTX_new_from_pkey", "EVP_PKEY_new", "EVP_PKEY_new_raw_public_key_ex",
              "EVP_CIPHER_fetch", "EVP_CIPHER_CTX_new", "EVP_MD_CTX_new", "BIO_new_file", "PEM_read_bio_PrivateKey",
              "d2i_X509", "X509_get0_pubkey"):
    getattr(LIB, _name).restype = ctypes.c_void_p
LIB.EVP_PKEY_get1_encoded_public_key.restype = ctypes.c_size_t
GET_TAG, SET_TAG, TAG_BYTES = 0x10, 0x11, 16


def must(result):
    if result is None or result <= 0:
        raise ValueError("libcrypto says no")
    return result


class Held:
    """A pointer of libcrypto's, and what frees it."""

    def __init__(self, pointer, free):
        self.pointer, self.free = ctypes.c_void_p(must(pointer)), free

    def __del__(self):
        getattr(LIB, self.free)(self.pointer)


def key(pointer):
    return Held(pointer, "EVP_PKEY_free")


def two_calls(function, *arguments):
    """Of those that first say how long their answer is."""
    size = ctypes.c_size_t()
    must(function(*arguments[:1], None, ctypes.byref(size), *arguments[1:]))
    buffer = ctypes.create_string_buffer(size.value)
    must(function(*arguments[:1], buffer, ctypes.byref(size), *arguments[1:]))
    return buffer.raw[:size.value]


class Pair:
    """One half of a key share, or all of it: X25519, P-256, P-384, ML-KEM-768, ML-KEM-1024."""

    def __init__(self, name):
        self.name = name
        curve = name if name.startswith("P-") else None
        made = Held(LIB.EVP_PKEY_CTX_new_from_name(None, b"EC" if curve else name.encode(), None), "EVP_PKEY_CTX_free")
        must(LIB.EVP_PKEY_keygen_init(made.pointer))
        if curve:
            must(LIB.EVP_PKEY_CTX_set_group_name(made.pointer, curve.encode()))
        pointer = ctypes.c_void_p()
        must(LIB.EVP_PKEY_generate(made.pointer, ctypes.byref(pointer)))
        self.key = key(pointer.value)
        found = ctypes.c_void_p()
        size = LIB.EVP_PKEY_get1_encoded_public_key(self.key.pointer, ctypes.byref(found))
        self.public = ctypes.string_at(found, must(size))
        LIB.CRYPTO_free(found, b"", 0)
        self.answer_bytes = {"ML-KEM-768": 1088, "ML-KEM-1024": 1568}.get(name, len(self.public))

    def secret(self, answer):
        context = Held(LIB.EVP_PKEY_CTX_new_from_pkey(None, self.key.pointer, None), "EVP_PKEY_CTX_free")
        if self.name.startswith("ML-KEM"):
            must(LIB.EVP_PKEY_decapsulate_init(context.pointer, None))
            return two_calls(LIB.EVP_PKEY_decapsulate, context.pointer, answer, ctypes.c_size_t(len(answer)))
        peer = key(LIB.EVP_PKEY_new())
        must(LIB.EVP_PKEY_copy_parameters(peer.pointer, self.key.pointer)) if self.name.startswith("P-") else None
        if self.name == "X25519":
            peer = key(LIB.EVP_PKEY_new_raw_public_key_ex(None, b"X25519", None, answer, ctypes.c_size_t(len(answer))))
        else:
            must(LIB.EVP_PKEY_set1_encoded_public_key(peer.pointer, answer, ctypes.c_size_t(len(answer))))
        must(LIB.EVP_PKEY_derive_init(context.pointer))
        must(LIB.EVP_PKEY_derive_set_peer(context.pointer, peer.pointer))
        return two_calls(LIB.EVP_PKEY_derive, context.pointer)


def encapsulate(name, public):
    """For another's key of ML-KEM: what goes to its owner, and the secret."""
    peer = key(LIB.EVP_PKEY_new_raw_public_key_ex(None, name.encode(), None, public, ctypes.c_size_t(len(public))))
    context = Held(LIB.EVP_PKEY_CTX_new_from_pkey(None, peer.pointer, None), "EVP_PKEY_CTX_free")
    must(LIB.EVP_PKEY_encapsulate_init(context.pointer, None))
    sizes = ctypes.c_size_t(), ctypes.c_size_t()
    must(LIB.EVP_PKEY_encapsulate(context.pointer, None, ctypes.byref(sizes[0]), None, ctypes.byref(sizes[1])))
    buffers = [ctypes.create_string_buffer(size.value) for size in sizes]
    must(LIB.EVP_PKEY_encapsulate(context.pointer, buffers[0], ctypes.byref(sizes[0]), buffers[1], ctypes.byref(sizes[1])))
    return buffers[0].raw, buffers[1].raw


class Aead:
    def __init__(self, name, secret):
        self.context = Held(LIB.EVP_CIPHER_CTX_new(), "EVP_CIPHER_CTX_free")
        self.cipher = Held(LIB.EVP_CIPHER_fetch(None, name.encode(), None), "EVP_CIPHER_free")
        self.secret = secret

    def run(self, is_sealing, nonce, text, extra, tag):
        pointer, size = self.context.pointer, ctypes.c_int()
        must(LIB.EVP_CipherInit_ex(pointer, self.cipher.pointer, None, self.secret, nonce, int(is_sealing)))
        must(LIB.EVP_CipherUpdate(pointer, None, ctypes.byref(size), extra, len(extra)))
        out = ctypes.create_string_buffer(len(text) + 32)
        if text:
            must(LIB.EVP_CipherUpdate(pointer, out, ctypes.byref(size), text, len(text)))
        if not is_sealing:
            must(LIB.EVP_CIPHER_CTX_ctrl(pointer, SET_TAG, TAG_BYTES, tag))
        must(LIB.EVP_CipherFinal_ex(pointer, ctypes.byref(out, len(text)), ctypes.byref(size)))
        if is_sealing:
            tag = ctypes.create_string_buffer(TAG_BYTES)
            must(LIB.EVP_CIPHER_CTX_ctrl(pointer, GET_TAG, TAG_BYTES, tag))
            return out.raw[:len(text)] + tag.raw
        return out.raw[:len(text)]

    def seal(self, nonce, text, extra):
        return self.run(True, nonce, text, extra, None)

    def open(self, nonce, text, extra):
        return self.run(False, nonce, text[:-TAG_BYTES], extra, text[-TAG_BYTES:])


def file_key(path):
    bio = Held(LIB.BIO_new_file(path.encode(), b"r"), "BIO_free")
    return key(LIB.PEM_read_bio_PrivateKey(bio.pointer, None, None, None))


def sign(private, digest, data):
    context = Held(LIB.EVP_MD_CTX_new(), "EVP_MD_CTX_free")
    must(LIB.EVP_DigestSignInit_ex(context.pointer, None, digest, None, None, private.pointer, None))
    return two_calls(LIB.EVP_DigestSign, context.pointer, data, ctypes.c_size_t(len(data)))


def verify(certificate, digest, signature, data):
    """With the key of a certificate in DER."""
    start = ctypes.c_char_p(certificate)
    parsed = Held(LIB.d2i_X509(None, ctypes.byref(start), len(certificate)), "X509_free")
    context = Held(LIB.EVP_MD_CTX_new(), "EVP_MD_CTX_free")
    public = ctypes.c_void_p(LIB.X509_get0_pubkey(parsed.pointer))
    must(LIB.EVP_DigestVerifyInit_ex(context.pointer, None, digest, None, None, public, None))
    return LIB.EVP_DigestVerify(context.pointer, signature, ctypes.c_size_t(len(signature)), data, ctypes.c_size_t(len(data))) == 1


def public_key(certificate):
    """The SubjectPublicKeyInfo of a certificate in DER."""
    start, out = ctypes.c_char_p(certificate), ctypes.c_void_p()
    parsed = Held(LIB.d2i_X509(None, ctypes.byref(start), len(certificate)), "X509_free")
    size = must(LIB.i2d_PUBKEY(ctypes.c_void_p(LIB.X509_get0_pubkey(parsed.pointer)), ctypes.byref(out)))
    found = ctypes.string_at(out, size)
    LIB.CRYPTO_free(out, b"", 0)
    return found


def extract(digest, salt, secret):
    return hmac.digest(salt or bytes(hashlib.new(digest).digest_size), secret, digest)


def expand(digest, secret, label, context, size):
    """HKDF-Expand-Label of RFC 8446, section 7.1."""
    label = b"tls13 " + label
    info = size.to_bytes(2, "big") + bytes([len(label)]) + label + bytes([len(context)]) + context
    out, block, number = b"", b"", 1
    while len(out) < size:
        block = hmac.digest(secret, block + info + bytes([number]), digest)
        out += block
        number += 1
    return out[:size]
