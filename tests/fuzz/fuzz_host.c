/* SPDX-License-Identifier: Apache-2.0
 *
 * Hosts and ports: what is taken has one form, which is taken again as itself and holds nothing
 * that another program could read otherwise.
 */
#include <string.h>

#include "base/assert.h"
#include "codec/host.h"
#include "fuzz.h"

bool fuzz_seed(unsigned number, struct builder *out) {
    static const char *const SEEDS[] = {
        "API.example.com:443", "[2001:db8::1]:8080",   "127.0.0.1:80",
        "0x7f.1:80",           "xn--bcher-kva.test:1", "[::ffff:1.2.3.4]:65535",
    };
    if (number >= sizeof SEEDS / sizeof SEEDS[0]) {
        return false;
    }
    builder_text(out, SEEDS[number]);
    return true;
}

static void check(const struct host *host) {
    struct host again;
    size_t size = strlen(host->text);
    ASSERT(size > 0 && size < HOST_TEXT_BYTES);
    ASSERT(strspn(host->text, "abcdefghijklmnopqrstuvwxyz0123456789.-_:") == size);
    ASSERT(host->text[size - 1] != '.');
    ASSERT(host_parse(slice_of_string(host->text), false, &again) == nullptr);
    ASSERT(strcmp(host->text, again.text) == 0 && host->is_address == again.is_address);
    if (host->is_address) {
        ASSERT(host->address.size == again.address.size);
        ASSERT(memcmp(host->address.bytes, again.address.bytes, again.address.size) == 0);
    } else {
        ASSERT(strchr(host->text, ':') == nullptr);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct host host;
    uint16_t port = 0;
    if (host_parse(slice_of(data, size), false, &host) == nullptr) {
        check(&host);
    }
    if (host_parse_authority(slice_of(data, size), 0, &host, &port) == nullptr) {
        check(&host);
        ASSERT(port != 0);
    }
    return 0;
}
