/* SPDX-License-Identifier: Apache-2.0
 *
 * verify-receipt VKEY [VKEY] FILE: checks an Airlock receipt, sharing no code with Airlock.
 *
 * It is written from the formats alone (docs/receipts.md; C2SP signed-note, tlog-checkpoint,
 * tlog-cosignature and tlog-proof; RFC 6962) and needs libcrypto for SHA-256, Ed25519 and
 * ML-DSA-44, nothing else. Every key that is named must have signed, and nobody else. On success
 * the entry, which is JSON, goes to standard output, and the exit status is 0. Otherwise: 2 usage,
 * 65 no receipt, 10 the entry is not in the signed tree, 11 neither root nor signature fit, 12 bad
 * signature, 13 not signed by these keys.
 */
#include <openssl/evp.h>
#include <openssl/sha.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    RECEIPT_MAX = 262144,
    ENTRY_MAX = 65535,
    NAME_MAX_BYTES = 255,
    PROOF_MAX = 63,
    HASH = 32,
    ED25519 = 1, /* signature types: the log's own, and a C2SP cosignature */
    ML_DSA_44 = 6,
    KEY_MAX = 1312, /* bytes of the largest public key */
    SIGNATURE_MAX = 2420,
    TIME = 8, /* before an ML-DSA-44 signature */
    KEYS_MAX = 2,
    EXIT_MALFORMED = 65,
    EXIT_ENTRY = 10,
    EXIT_ROOT = 11,
    EXIT_SIGNATURE = 12,
    EXIT_KEY = 13,
};

/* Text that is being read. Lines end in a line feed, each and every one. */
struct text {
    const char *at;
    const char *end;
};

struct line {
    const char *data;
    size_t size;
};

static void die(int status, const char *why) {
    fprintf(stderr, "verify-receipt: %s\n", why);
    exit(status);
}

static struct line next_line(struct text *text) {
    const char *feed = memchr(text->at, '\n', (size_t)(text->end - text->at));
    if (feed == NULL) {
        die(EXIT_MALFORMED, "the receipt ends too early");
    }
    struct line line = {text->at, (size_t)(feed - text->at)};
    text->at = feed + 1;
    return line;
}

static bool line_is(struct line line, const char *wanted) {
    return line.size == strlen(wanted) && memcmp(line.data, wanted, line.size) == 0;
}

/* Takes `prefix` off the front of a line. */
static bool line_skip(struct line *line, const char *prefix) {
    size_t size = strlen(prefix);
    if (line->size < size || memcmp(line->data, prefix, size) != 0) {
        return false;
    }
    line->data += size;
    line->size -= size;
    return true;
}

static int base64_digit(char c) {
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const char *found = c == '\0' ? NULL : strchr(digits, c);
    return found == NULL ? -1 : (int)(found - digits);
}

/* Decodes canonical base64 (padding there, spare bits zero); -1 when it is not, or too long. */
static long base64_decode(struct line in, uint8_t *out, size_t capacity) {
    size_t size = 0;
    if (in.size % 4 != 0) {
        return -1;
    }
    for (size_t i = 0; i < in.size; i += 4) {
        int padding = 0;
        if (i + 4 == in.size && in.data[i + 3] == '=') {
            padding = in.data[i + 2] == '=' ? 2 : 1;
        }
        uint32_t group = 0;
        for (int j = 0; j < 4; j++) {
            int digit = j < 4 - padding ? base64_digit(in.data[i + (size_t)j]) : 0;
            if (digit < 0) {
                return -1;
            }
            group = group << 6 | (uint32_t)digit;
        }
        if ((group & ((1U << (8 * padding)) - 1)) != 0) {
            return -1;
        }
        for (int j = 0; j < 3 - padding; j++) {
            if (size == capacity) {
                return -1;
            }
            out[size++] = (uint8_t)(group >> (16 - 8 * j));
        }
    }
    return (long)size;
}

static bool decimal(struct line line, uint64_t *value) {
    if (line.size == 0 || line.size > 18 || (line.size > 1 && line.data[0] == '0')) {
        return false;
    }
    *value = 0;
    for (size_t i = 0; i < line.size; i++) {
        if (line.data[i] < '0' || line.data[i] > '9') {
            return false;
        }
        *value = *value * 10 + (uint64_t)(line.data[i] - '0');
    }
    return true;
}

/* A verifier key: name+hex(key id)+base64(type || public key). */
struct vkey {
    char name[NAME_MAX_BYTES + 1];
    uint8_t id[4];
    int type;
    uint8_t public_key[KEY_MAX];
    size_t public_size;
    size_t signature_size; /* of what a line by this key holds after the key id */
};

static bool vkey_set_type(struct vkey *key, int type, long size) {
    key->type = type;
    key->public_size = type == ML_DSA_44 ? 1312 : 32;
    key->signature_size = type == ML_DSA_44 ? TIME + 2420 : 64;
    return (type == ED25519 || type == ML_DSA_44) && size == 1 + (long)key->public_size;
}

static bool vkey_parse(const char *text, struct vkey *key) {
    const char *first = strchr(text, '+');
    const char *second = first == NULL ? NULL : strchr(first + 1, '+');
    uint8_t typed[1 + KEY_MAX];
    if (second == NULL || first == text || first - text > NAME_MAX_BYTES || second - first != 9) {
        return false;
    }
    memset(key, 0, sizeof *key);
    struct line encoded = {second + 1, strlen(second + 1)};
    long size = base64_decode(encoded, typed, sizeof typed);
    if (size < 1 || !vkey_set_type(key, typed[0], size)) {
        return false;
    }
    /* The id is the beginning of SHA-256(name || LF || type || public key). */
    size_t name_size = (size_t)(first - text);
    uint8_t hashed[NAME_MAX_BYTES + 1 + sizeof typed];
    uint8_t digest[HASH];
    char hex[9];
    memcpy(hashed, text, name_size);
    hashed[name_size] = '\n';
    memcpy(hashed + name_size + 1, typed, (size_t)size);
    SHA256(hashed, name_size + 1 + (size_t)size, digest);
    snprintf(hex, sizeof hex, "%02x%02x%02x%02x", digest[0], digest[1], digest[2], digest[3]);
    if (memcmp(hex, first + 1, 8) != 0) {
        return false;
    }
    memcpy(key->name, text, name_size);
    memcpy(key->id, digest, sizeof key->id);
    memcpy(key->public_key, typed + 1, key->public_size);
    return true;
}

static bool is_valid(const struct vkey *key, struct line message, const uint8_t *signature,
                     size_t size) {
    const char *name = key->type == ML_DSA_44 ? "ML-DSA-44" : "ED25519";
    EVP_PKEY *pkey =
        EVP_PKEY_new_raw_public_key_ex(NULL, name, NULL, key->public_key, key->public_size);
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    bool valid = pkey != NULL && context != NULL &&
                 EVP_DigestVerifyInit(context, NULL, NULL, NULL, pkey) == 1 &&
                 EVP_DigestVerify(context, signature, size, (const uint8_t *)message.data,
                                  message.size) == 1;
    EVP_MD_CTX_free(context);
    EVP_PKEY_free(pkey);
    return valid;
}

static void node_hash(const uint8_t *left, const uint8_t *right, uint8_t *out) {
    uint8_t bytes[1 + 2 * HASH] = {1};
    memcpy(bytes + 1, left, HASH);
    memcpy(bytes + 1 + HASH, right, HASH);
    SHA256(bytes, sizeof bytes, out);
}

/* A line below the checkpoint: who signed, and the key id with the signature. */
struct signature {
    struct line name;
    uint8_t bytes[4 + TIME + SIGNATURE_MAX];
    size_t size;
};

struct receipt {
    uint8_t entry[ENTRY_MAX];
    size_t entry_size;
    uint64_t index;
    uint8_t proof[PROOF_MAX][HASH];
    size_t proof_size;
    struct line body; /* the three signed lines of the checkpoint */
    struct line origin;
    uint64_t tree_size;
    uint8_t root[HASH];
    struct signature signatures[KEYS_MAX];
    size_t signature_count;
};

static void parse_proof(struct text *text, struct receipt *receipt) {
    for (struct line line = next_line(text); line.size > 0; line = next_line(text)) {
        if (receipt->proof_size == PROOF_MAX ||
            base64_decode(line, receipt->proof[receipt->proof_size++], HASH) != HASH) {
            die(EXIT_MALFORMED, "a hash of the proof is malformed");
        }
    }
}

static void parse_signature(struct line line, struct signature *signature) {
    const char *space = NULL;
    if (line_skip(&line, "\xe2\x80\x94 ")) {
        space = memchr(line.data, ' ', line.size);
    }
    if (space == NULL) {
        die(EXIT_MALFORMED, "there must be signature lines at the end, and nothing else");
    }
    signature->name = (struct line){line.data, (size_t)(space - line.data)};
    struct line encoded = {space + 1, line.size - signature->name.size - 1};
    long size = base64_decode(encoded, signature->bytes, sizeof signature->bytes);
    if (size <= 4) {
        die(EXIT_MALFORMED, "a signature is malformed");
    }
    signature->size = (size_t)size;
}

static void parse_checkpoint(struct text *text, struct receipt *receipt) {
    receipt->body.data = text->at;
    receipt->origin = next_line(text);
    struct line size = next_line(text);
    struct line root = next_line(text);
    receipt->body.size = (size_t)(text->at - receipt->body.data);
    if (receipt->origin.size == 0 || receipt->origin.size > NAME_MAX_BYTES ||
        !decimal(size, &receipt->tree_size) || base64_decode(root, receipt->root, HASH) != HASH ||
        next_line(text).size != 0) {
        die(EXIT_MALFORMED, "the checkpoint is malformed");
    }
    do {
        if (receipt->signature_count == KEYS_MAX) {
            die(EXIT_KEY, "there are more signatures than a log makes");
        }
        parse_signature(next_line(text), &receipt->signatures[receipt->signature_count++]);
    } while (text->at != text->end);
}

static void parse_receipt(struct text text, struct receipt *receipt) {
    if (!line_is(next_line(&text), "airlock-receipt/1")) {
        die(EXIT_MALFORMED, "this is no receipt of version 1");
    }
    struct line entry = next_line(&text);
    long size = line_skip(&entry, "entry ")
                    ? base64_decode(entry, receipt->entry, sizeof receipt->entry)
                    : -1;
    if (size < 0) {
        die(EXIT_MALFORMED, "the entry is malformed");
    }
    receipt->entry_size = (size_t)size;
    if (!line_is(next_line(&text), "c2sp.org/tlog-proof@v1")) {
        die(EXIT_MALFORMED, "there is no proof of version 1");
    }
    struct line index = next_line(&text);
    if (!line_skip(&index, "index ") || !decimal(index, &receipt->index)) {
        die(EXIT_MALFORMED, "the index is malformed");
    }
    parse_proof(&text, receipt);
    parse_checkpoint(&text, receipt);
}

/* RFC 9162, section 2.1.3.2: does the entry's leaf lead to the checkpoint's root? */
static bool proof_leads_to_root(const struct receipt *receipt) {
    static uint8_t leaf[1 + ENTRY_MAX]; /* 0x00, then the entry */
    uint8_t hash[HASH];
    uint64_t node = receipt->index;
    uint64_t last = receipt->tree_size - 1;
    if (receipt->index >= receipt->tree_size) {
        return false;
    }
    memcpy(leaf + 1, receipt->entry, receipt->entry_size);
    SHA256(leaf, 1 + receipt->entry_size, hash);
    for (size_t i = 0; i < receipt->proof_size; i++) {
        if (last == 0) {
            return false;
        }
        if ((node & 1) == 1 || node == last) {
            node_hash(receipt->proof[i], hash, hash);
            while ((node & 1) == 0 && node != 0) {
                node >>= 1;
                last >>= 1;
            }
        } else {
            node_hash(hash, receipt->proof[i], hash);
        }
        node >>= 1;
        last >>= 1;
    }
    return last == 0 && memcmp(hash, receipt->root, HASH) == 0;
}

static uint8_t *put_u64(uint8_t *out, uint64_t value) {
    for (int shift = 56; shift >= 0; shift -= 8) {
        *out++ = (uint8_t)(value >> shift);
    }
    return out;
}

static uint8_t *put_name(uint8_t *out, const char *data, size_t size) {
    *out++ = (uint8_t)size;
    memcpy(out, data, size);
    return out + size;
}

/* Ed25519 signs the checkpoint's text; ML-DSA-44 the cosigned_message of C2SP tlog-cosignature:
 * a label of twelve bytes, the key's name, the time, the origin, 0, the size, the root. */
static bool fits(const struct receipt *receipt, const struct vkey *key,
                 const struct signature *signature) {
    static const char label[12] = "subtree/v1\n";
    uint8_t message[sizeof label + 2 * (1 + NAME_MAX_BYTES) + 3 * 8 + HASH];
    const uint8_t *bytes = signature->bytes + sizeof key->id;
    if (signature->size != sizeof key->id + key->signature_size) {
        return false;
    }
    if (key->type == ED25519) {
        return is_valid(key, receipt->body, bytes, key->signature_size);
    }
    memcpy(message, label, sizeof label);
    uint8_t *end = put_name(message + sizeof label, key->name, strlen(key->name));
    memcpy(end, bytes, TIME);
    end = put_name(end + TIME, receipt->origin.data, receipt->origin.size);
    end = put_u64(end, 0);
    end = put_u64(end, receipt->tree_size);
    memcpy(end, receipt->root, HASH);
    struct line signed_bytes = {(const char *)message, (size_t)(end + HASH - message)};
    return (bytes[0] & 0x80) == 0 && /* a time past 2^63 - 1 is none */
           is_valid(key, signed_bytes, bytes + TIME, key->signature_size - TIME);
}

static const struct signature *find(const struct receipt *receipt, const struct vkey *key) {
    for (size_t i = 0; i < receipt->signature_count; i++) {
        const struct signature *signature = &receipt->signatures[i];
        if (line_is(signature->name, key->name) &&
            memcmp(signature->bytes, key->id, sizeof key->id) == 0) {
            return signature;
        }
    }
    die(EXIT_KEY, "the receipt is not signed by a key that was named");
    return NULL;
}

/* With as many lines as keys, and each key's line another one, no line is by anybody else. */
static void judge(const struct receipt *receipt, const struct vkey *keys, size_t count) {
    bool leads = proof_leads_to_root(receipt);
    for (size_t i = 0; i < count; i++) {
        const struct signature *signature = find(receipt, &keys[i]);
        /* A changed origin alone leaves the signer's name right: then the signature is wrong. */
        if (!line_is(receipt->origin, keys[i].name)) {
            die(EXIT_SIGNATURE, "this key signed for another log");
        }
        if (!fits(receipt, &keys[i], signature)) {
            die(leads ? EXIT_SIGNATURE : EXIT_ROOT, "a signature does not fit the checkpoint");
        }
    }
    if (receipt->signature_count != count) {
        die(EXIT_KEY, "the receipt has a signature by a key that was not named");
    }
    if (!leads) {
        die(EXIT_ENTRY, "the entry is not in the tree that was signed");
    }
}

/* One Ed25519 key, alone or with the ML-DSA-44 key of the same log. */
static void parse_keys(char **texts, size_t count, struct vkey *keys) {
    size_t ed25519 = 0;
    for (size_t i = 0; i < count; i++) {
        if (!vkey_parse(texts[i], &keys[i])) {
            die(EXIT_KEY, "a verifier key is malformed");
        }
        ed25519 += keys[i].type == ED25519;
    }
    if (ed25519 != 1 || strcmp(keys[0].name, keys[count - 1].name) != 0) {
        die(EXIT_KEY, "name the Ed25519 key of a log, and its ML-DSA-44 key if it has one");
    }
}

int main(int argc, char **argv) {
    static char bytes[RECEIPT_MAX + 1];
    static struct receipt receipt;
    static struct vkey keys[KEYS_MAX];
    if (argc < 3 || argc > 2 + KEYS_MAX) {
        die(2, "usage: verify-receipt VKEY [VKEY] FILE");
    }
    size_t count = (size_t)argc - 2;
    parse_keys(argv + 1, count, keys);
    const char *path = argv[argc - 1];
    FILE *file = strcmp(path, "-") == 0 ? stdin : fopen(path, "rb");
    if (file == NULL) {
        die(2, "cannot open the file");
    }
    size_t size = fread(bytes, 1, sizeof bytes, file);
    if (ferror(file) || size > RECEIPT_MAX) {
        die(EXIT_MALFORMED, "the file cannot be read, or is too long for a receipt");
    }
    parse_receipt((struct text){bytes, bytes + size}, &receipt);
    judge(&receipt, keys, count);
    fprintf(stderr, "genuine: entry %llu of %llu in the log %s\n",
            (unsigned long long)receipt.index, (unsigned long long)receipt.tree_size, keys[0].name);
    fwrite(receipt.entry, 1, receipt.entry_size, stdout);
    putchar('\n');
    return 0;
}
