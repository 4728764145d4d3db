/* SPDX-License-Identifier: Apache-2.0
 *
 * airlock enclave verify: a fresh nonce, one connection, and evidence that has to be about exactly
 * that connection.
 */
#include <openssl/evp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "codec/text.h"
#include "enclave/client.h"
#include "enclave/commands.h"
#include "enclave/options.h"
#include "enclave/report.h"
#include "sys/random.h"

enum { NONCE_BYTES = 32, HEX_BYTES = 2 * DIGEST_BYTES + 1 };

/* A pin of the command line. */
struct pin {
    const char *text;
    struct digest digest;
};

struct request {
    struct pin measurement, spki, config, root;
    bool allow_simulation, as_json;
};

/* Rows of what is printed, in the order of looking, and up to which of them a result says yes. */
enum row : uint8_t {
    ROW_SIGNATURE,
    ROW_NONCE,
    ROW_TIME,
    ROW_CONNECTION,
    ROW_KEY,
    ROW_GROUP,
    ROW_CONFIG,
    ROW_QUOTE,
    ROW_REPORT_DATA,
    ROW_ROOT,
    ROW_MEASUREMENT,
    ROW_HARDWARE,
    ROW_COUNT,
};

static enum row row_of(enum evidence_result result) {
    static const enum row ROWS[EVIDENCE_RESULT_COUNT] = {
        [EVIDENCE_VERIFIED] = ROW_COUNT,
        [EVIDENCE_MALFORMED] = ROW_SIGNATURE,
        [EVIDENCE_ALGORITHM] = ROW_SIGNATURE,
        [EVIDENCE_SIGNATURE] = ROW_SIGNATURE,
        [EVIDENCE_PROFILE] = ROW_NONCE,
        [EVIDENCE_NONCE] = ROW_NONCE,
        [EVIDENCE_STALE] = ROW_TIME,
        [EVIDENCE_KIND] = ROW_CONNECTION,
        [EVIDENCE_EXPORTER] = ROW_CONNECTION,
        [EVIDENCE_SPKI] = ROW_KEY,
        [EVIDENCE_GROUP] = ROW_GROUP,
        [EVIDENCE_CONFIG] = ROW_CONFIG,
        [EVIDENCE_TYPE] = ROW_QUOTE,
        [EVIDENCE_NO_QUOTE] = ROW_QUOTE,
        [EVIDENCE_QUOTE] = ROW_QUOTE,
        [EVIDENCE_QUOTE_SIGNATURE] = ROW_QUOTE,
        [EVIDENCE_REPORT_DATA] = ROW_REPORT_DATA,
        [EVIDENCE_ROOT] = ROW_ROOT,
        [EVIDENCE_MEASUREMENT] = ROW_MEASUREMENT,
        [EVIDENCE_SIMULATION] = ROW_HARDWARE,
    };
    return ROWS[result];
}

static status_t pin_read(struct pin *pin, const char *name, struct error *err) {
    if (pin->text != nullptr &&
        !text_unhex(slice_of_string(pin->text), pin->digest.bytes, DIGEST_BYTES)) {
        return error_set(err, ERROR_USAGE, 0, "--%s takes a SHA-256: 64 hex digits", name);
    }
    return STATUS_OK;
}

static const char *hex_of(const struct digest *digest, char ret[static HEX_BYTES]) {
    for (size_t i = 0; i < DIGEST_BYTES; i++) {
        (void)snprintf(ret + 2 * i, 3, "%02x", digest->bytes[i]);
    }
    return ret;
}

struct verdict {
    const char *target;
    const struct request *request;
    const struct attested *attested;
    struct evidence_facts facts;
    enum evidence_result result;
};

static void print_row(const struct verdict *verdict, enum row row, const char *name,
                      const char *what) {
    enum row end = row_of(verdict->result);
    const char *word = row < end ? "ok" : row == end ? "REFUSED" : "-";
    if (row > end) {
        what = "not looked at"; /* what it says is nobody's word */
    }
    if (row == ROW_HARDWARE && row < end) {
        word = "none"; /* asked for, not found right */
    }
    (void)printf("  %-8s %-14s %s\n", word, name, what);
}

static void print_table(const struct verdict *verdict) {
    char hex[HEX_BYTES];
    char text[160];
    const struct request *request = verdict->request;
    const struct evidence_facts *facts = &verdict->facts;
    (void)printf("evidence of %s\n", verdict->target);
    print_row(verdict, ROW_SIGNATURE, "signature", "ES256, by the key this connection showed");
    print_row(verdict, ROW_NONCE, "nonce", "32 fresh bytes of ours");
    print_row(verdict, ROW_TIME, "time", "within a minute of the clock here");
    print_row(verdict, ROW_CONNECTION, "connection", "this TLS session's exporter (RFC 9266)");
    print_row(verdict, ROW_KEY, "key", hex_of(&verdict->attested->spki, hex));
    (void)snprintf(text, sizeof text, "%s, post-quantum", verdict->attested->group_name);
    print_row(verdict, ROW_GROUP, "key exchange", text);
    (void)snprintf(text, sizeof text, "%s%s", hex_of(&facts->config, hex),
                   request->config.text != nullptr ? "" : " (any)");
    print_row(verdict, ROW_CONFIG, "configuration", text);
    print_row(verdict, ROW_QUOTE, "quote", evidence_type_text(facts->type));
    print_row(verdict, ROW_REPORT_DATA, "report data", "made of all the above");
    (void)snprintf(text, sizeof text, "%s%s", hex_of(&facts->root, hex),
                   request->root.text != nullptr ? "" : " (any)");
    print_row(verdict, ROW_ROOT, "root", text);
    (void)snprintf(text, sizeof text, "%s%s", hex_of(&facts->measurement, hex),
                   request->measurement.text != nullptr ? "" : " (any)");
    print_row(verdict, ROW_MEASUREMENT, "measurement", text);
    print_row(verdict, ROW_HARDWARE, "hardware", "a simulation; nothing vouches for it");
}

static void print_json(const struct verdict *verdict) {
    char hex[HEX_BYTES];
    const struct evidence_facts *facts = &verdict->facts;
    CLEANUP(json_freep) struct json *object = json_object_new();
    json_set_bool(object, "verified", verdict->result == EVIDENCE_VERIFIED);
    json_set_text(object, "result", evidence_result_slug(verdict->result));
    json_set_text(object, "meaning", evidence_result_text(verdict->result));
    json_set_text(object, "group", verdict->attested->group_name);
    json_set_text(object, "spki", hex_of(&verdict->attested->spki, hex));
    json_set_text(object, "type", evidence_type_text(facts->type));
    json_set_text(object, "config", hex_of(&facts->config, hex));
    json_set_text(object, "measurement", hex_of(&facts->measurement, hex));
    json_set_text(object, "root", hex_of(&facts->root, hex));
    json_set_integer(object, "issued", (int64_t)facts->issued_s);
    report_json(object);
}

static status_t refuse(enum evidence_result result, const char *target, struct error *err) {
    if (result == EVIDENCE_SIMULATION) {
        return error_set(err, ERROR_ENCLAVE_SIMULATION, 0,
                         "%s is a simulation: no hardware vouches for what runs there", target);
    }
    (void)error_set(err, ERROR_ENCLAVE_EVIDENCE, 0, "the evidence of %s is refused", target);
    error_detail(err, "%s", evidence_result_text(result));
    return (status_t){ERROR_ENCLAVE_EVIDENCE};
}

static void judge(struct verdict *verdict, struct slice nonce) {
    const struct request *request = verdict->request;
    const struct attested *attested = verdict->attested;
    const struct clock clock = clock_system();
    const struct evidence_expectation expected = {
        .binding =
            {
                .kind = EVIDENCE_KIND_CONNECTION,
                .nonce = nonce,
                .exporter = slice_of(attested->exporter, sizeof attested->exporter),
                .spki_hash = slice_of(attested->spki.bytes, DIGEST_BYTES),
                .group = attested->group,
                .config_hash = slice_of(request->config.digest.bytes,
                                        request->config.text != nullptr ? DIGEST_BYTES : 0),
            },
        .leaf = attested->leaf,
        .now_s = clock_wall_ms(&clock) / 1000,
        .allow_simulation = request->allow_simulation,
        .measurement =
            request->measurement.text != nullptr ? &request->measurement.digest : nullptr,
        .root = request->root.text != nullptr ? &request->root.digest : nullptr,
    };
    verdict->result = evidence_verify(builder_slice(&attested->jwt), &expected, &verdict->facts);
}

static status_t verify(const struct request *request, const char *target, struct error *err) {
    uint8_t nonce[NONCE_BYTES];
    struct attested attested = {};
    struct verdict verdict = {.target = target, .request = request, .attested = &attested};
    random_fill(nonce, sizeof nonce);
    TRY(client_ask(target, slice_of(nonce, sizeof nonce), &attested, err));
    if (request->spki.text != nullptr && !digest_equal(&request->spki.digest, &attested.spki)) {
        attested_deinit(&attested);
        return error_set(err, ERROR_ENCLAVE_EVIDENCE, 0, "%s shows another key than --spki",
                         target);
    }
    judge(&verdict, slice_of(nonce, sizeof nonce));
    if (request->as_json) {
        print_json(&verdict);
    } else {
        print_table(&verdict);
    }
    attested_deinit(&attested);
    return verdict.result == EVIDENCE_VERIFIED ? STATUS_OK : refuse(verdict.result, target, err);
}

static status_t pins_read(struct request *request, struct error *err) {
    TRY(pin_read(&request->measurement, "measurement", err));
    TRY(pin_read(&request->spki, "spki", err));
    TRY(pin_read(&request->config, "config", err));
    return pin_read(&request->root, "root", err);
}

int command_verify(int argc, char **argv) {
    struct request request = {};
    struct operands operands;
    struct error err = {};
    bool is_help = false;
    const struct option_row rows[] = {
        {"allow-simulation", '\0', nullptr, "take evidence that no hardware vouches for",
         .ret_flag = &request.allow_simulation},
        {"measurement", '\0', "HEX", "of the software that has to run there",
         .ret_text = &request.measurement.text},
        {"spki", '\0', "HEX", "SHA-256 of the key that has to be shown",
         .ret_text = &request.spki.text},
        {"config", '\0', "HEX", "SHA-256 of the configuration", .ret_text = &request.config.text},
        {"root", '\0', "HEX", "SHA-256 of the key that has to sign the quote",
         .ret_text = &request.root.text},
        {"json", '\0', nullptr, "print one object", .ret_flag = &request.as_json},
    };
    const struct verb verb = {"verify", "HOST:PORT", "ask a server for evidence, and judge it",
                              1,        rows,        sizeof rows / sizeof rows[0]};
    (void)signal(SIGPIPE, SIG_IGN);
    status_t status = options_parse(&verb, argc, argv, &operands, &is_help, &err);
    if (is_help) {
        return 0;
    }
    if (status_is_ok(status) && operands.count != 1) {
        status = error_set(&err, ERROR_USAGE, 0, "name a server: airlock enclave verify HOST:PORT");
    }
    if (status_is_ok(status)) {
        status = pins_read(&request, &err);
    }
    if (status_is_ok(status)) {
        status = verify(&request, operands.values[0], &err);
    }
    return status_is_ok(status) ? 0 : report_error(&err, request.as_json);
}
