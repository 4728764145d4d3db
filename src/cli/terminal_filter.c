/* SPDX-License-Identifier: Apache-2.0
 *
 * The parser follows the states of ECMA-48 as terminals implement them: a sequence is held until
 * its kind is known, then written or dropped whole. One that does not fit what is held is dropped:
 * no honest program sends a control sequence of more than 256 bytes, except for strings, and those
 * pass piece by piece once their kind is known. Eight-bit controls (0x80-0x9f) are controls only
 * where they are not part of a UTF-8 character; encoded as one (0xc2 0x80-0x9f) they are controls
 * to xterm and VTE. In a terminal without UTF-8 each of them is a control wherever it stands. DEL
 * means nothing inside of a sequence, so it is taken out before it is judged.
 */
#include "cli/terminal_filter.h"

#include <string.h>

#include "base/assert.h"

enum filter_state : uint8_t {
    GROUND,
    ESCAPE,        /* ESC came */
    INTERMEDIATE,  /* ESC and 0x20-0x2f: a final byte ends it */
    CSI,           /* control sequence: parameters, then a final byte */
    CSI_OVERFLOW,  /* too long: swallow up to the final byte */
    OSC_NUMBER,    /* ESC ] digits, not judged yet */
    STRING,        /* OSC, DCS, SOS, PM, APC up to its terminator */
    STRING_ESCAPE, /* ESC inside a string: a backslash ends it */
};

enum { BEL = 0x07, ENQ = 0x05, CAN = 0x18, SUB = 0x1a, ESC = 0x1b, DEL = 0x7f };
enum { C1_LEAD = 0xc2 }; /* first byte of an encoded U+0080 to U+00BF */

struct output {
    uint8_t *data;
    size_t size;
};

static void put(struct output *out, uint8_t byte) {
    out->data[out->size++] = byte;
}

static void hold(struct terminal_filter *filter, uint8_t byte) {
    ASSERT(filter->held_size < TERMINAL_FILTER_HELD_MAX);
    filter->held[filter->held_size++] = byte;
}

static void release(struct terminal_filter *filter, struct output *out) {
    memcpy(out->data + out->size, filter->held, filter->held_size);
    out->size += filter->held_size;
    filter->held_size = 0;
}

static void forget(struct terminal_filter *filter) {
    filter->held_size = 0;
    filter->dropped_count++;
}

/* Whether a control sequence makes the terminal answer, or print. held is ESC [ params final. The
 * rows follow "XTerm Control Sequences" (T. Dickey), the terminal with the most of them. */
static bool csi_is_query(const struct terminal_filter *filter, uint8_t final) {
    const uint8_t *body = filter->held + 2;
    size_t size = filter->held_size - 2;
    uint8_t last = size > 0 ? body[size - 1] : 0;
    bool dollar = last == '$';
    bool private_mark = size > 0 && (body[0] == '>' || body[0] == '?' || body[0] == '=');
    switch (final) {
    case 'c': /* DA1, DA2, DA3 */
    case 'n': /* DSR, cursor position */
    case 'i': /* MC: hands the screen, or all that follows, to a printer */
        return true;
    case 'x': /* DECREQTPARM; with `$` DECFRA fills a rectangle */
        return !dollar;
    case 'p': /* DECRQM is the form with `$`; XTSMPOINTER and DECSTR are not queries */
        return dollar;
    case 'q': /* XTVERSION is `> q`; DECSCUSR has a space */
        return private_mark && body[0] == '>';
    case 'u': /* kitty keyboard query is `? u`; DECRQUPSS `& u`; DECRQTSR `$ u` */
        return (private_mark && body[0] == '?') || last == '&' || dollar;
    case 'm': /* XTQMODKEYS is `? m` */
    case 'g': /* XTGETMODKEYS is `? g` */
        return private_mark && body[0] == '?';
    case 'R': /* XTREPORTCOLORS */
        return last == '#';
    case '|': /* XTREPORTSGR is `# |`; DECRQLP `' |` */
        return last == '#' || last == '\'';
    case 'v': /* DECRQDE is `" v`; DECCRA `$ v` */
        return last == '"';
    case 'S': /* XTSMGRAPHICS query is `? ... S` */
        return private_mark && body[0] == '?';
    case 'w': /* DECRQPSR is `$ w` */
        return dollar;
    case 'y': /* DECRQCRA is `* y`; XTCHECKSUM `# y` decides what it tells */
        return last == '*' || last == '#';
    case 't': { /* window operations 11 to 21 report; the others only move, resize or save titles */
        unsigned number = 0;
        for (size_t i = 0; i < size && body[i] >= '0' && body[i] <= '9' && number < 1000; i++) {
            number = number * 10 + (uint8_t)(body[i] - '0');
        }
        return number >= 11 && number <= 21;
    }
    default:
        return false;
    }
}

/* OSC numbers that only set what the user sees: titles (0-2), links (8), prompt marks (133). The
 * rest is dropped: the clipboard (52), colours (they can be asked for), notifications, files.
 * held is ESC ] digits. */
static bool osc_may_pass(const struct terminal_filter *filter) {
    unsigned number = 0;
    for (size_t i = 2; i < filter->held_size; i++) {
        if (filter->held[i] < '0' || filter->held[i] > '9' || number > 10000) {
            return false;
        }
        number = number * 10 + (uint8_t)(filter->held[i] - '0');
    }
    switch (number) {
    case 0:
    case 1:
    case 2:
    case 8:
    case 133:
        return filter->held_size > 2;
    default:
        return false;
    }
}

static void string_begin(struct terminal_filter *filter, struct output *out, bool drop) {
    filter->drop = drop;
    filter->state = STRING;
    if (drop) {
        forget(filter);
    } else {
        release(filter, out);
    }
}

/* Whether a byte goes on with the character under way. The first byte after 0xe0 and 0xf0 is
 * bounded below, or a long form of U+009B could stand there. */
static bool continues(const struct terminal_filter *filter, uint8_t byte) {
    uint8_t least = filter->utf8_lead == 0xe0 ? 0xa0 : filter->utf8_lead == 0xf0 ? 0x90 : 0x80;
    return filter->utf8_left > 0 && byte >= least && byte <= 0xbf;
}

/* Writes a byte of text, except for what would act: ENQ, and eight-bit controls, which start what
 * their ESC forms start, by themselves or encoded in UTF-8. A lead byte 0xc2 waits for what it
 * leads. */
static void put_text(struct terminal_filter *filter, uint8_t byte, struct output *out) {
    bool is_lone_control = byte == ENQ || (byte >= 0x80 && byte <= 0x9f);
    if (filter->single_bytes && !is_lone_control) {
        put(out, byte);
        return;
    }
    if (continues(filter, byte)) {
        bool is_control = filter->utf8_lead == C1_LEAD && byte <= 0x9f;
        if (is_control) {
            filter->dropped_count++;
        } else if (filter->utf8_lead == C1_LEAD) {
            put(out, C1_LEAD);
        }
        if (!is_control) {
            put(out, byte);
        }
        filter->utf8_left--;
        filter->utf8_lead = 0;
        return;
    }
    filter->utf8_left = 0;
    filter->utf8_lead = 0;
    if (byte >= C1_LEAD && byte <= 0xf4) {
        filter->utf8_left = byte >= 0xf0 ? 3 : byte >= 0xe0 ? 2 : 1;
        filter->utf8_lead = byte;
    }
    if (is_lone_control) {
        filter->dropped_count++;
    } else if (byte != C1_LEAD) {
        put(out, byte);
    }
}

static void feed_ground(struct terminal_filter *filter, uint8_t byte, struct output *out) {
    if (byte == ESC) {
        filter->utf8_left = 0;
        filter->utf8_lead = 0;
        hold(filter, byte);
        filter->state = ESCAPE;
    } else {
        put_text(filter, byte, out);
    }
}

/* Handles what means the same inside any sequence; true when the byte is dealt with. A terminal
 * ignores DEL there: passed on, or held, it would hide what the sequence is. */
static bool feed_inside(struct terminal_filter *filter, uint8_t byte, struct output *out) {
    if (byte == ESC) { /* a new beginning */
        filter->held_size = 0;
        hold(filter, ESC);
        filter->state = ESCAPE;
    } else if (byte >= 0x80) { /* no sequence goes on with these */
        forget(filter);
        filter->state = GROUND;
        put_text(filter, byte, out);
    } else if (byte < 0x20) { /* acts at once and leaves the sequence as it was */
        put_text(filter, byte, out);
    }
    return byte < 0x20 || byte >= DEL;
}

static void feed_escape(struct terminal_filter *filter, uint8_t byte, struct output *out) {
    if (feed_inside(filter, byte, out)) {
        return;
    }
    if (byte == '[' || byte == ']') {
        hold(filter, byte);
        filter->state = byte == '[' ? CSI : OSC_NUMBER;
    } else if (byte == 'P' || byte == 'X' || byte == '^' || byte == '_') {
        string_begin(filter, out, true);
    } else if (byte == 'Z') {
        forget(filter); /* DECID */
        filter->state = GROUND;
    } else if (byte >= 0x20 && byte <= 0x2f) {
        hold(filter, byte);
        filter->state = INTERMEDIATE;
    } else {
        hold(filter, byte);
        release(filter, out);
        filter->state = GROUND;
    }
}

static void feed_csi(struct terminal_filter *filter, uint8_t byte, struct output *out) {
    if (feed_inside(filter, byte, out)) {
        return;
    }
    bool is_final = byte >= 0x40 && byte <= 0x7e;
    if (filter->state == CSI_OVERFLOW) {
        filter->state = is_final ? GROUND : CSI_OVERFLOW;
    } else if (is_final) {
        bool query = csi_is_query(filter, byte);
        hold(filter, byte);
        if (query) {
            forget(filter);
        } else {
            release(filter, out);
        }
        filter->state = GROUND;
    } else {
        hold(filter, byte);
        if (filter->held_size == TERMINAL_FILTER_HELD_MAX) {
            forget(filter);
            filter->state = CSI_OVERFLOW;
        }
    }
}

static void feed_intermediate(struct terminal_filter *filter, uint8_t byte, struct output *out) {
    if (feed_inside(filter, byte, out)) {
        return;
    }
    hold(filter, byte);
    if (byte > 0x2f) {
        /* ESC % leaves UTF-8, and then every byte of a character could be a control. */
        if (filter->held[1] == '%') {
            forget(filter);
        } else {
            release(filter, out);
        }
        filter->state = GROUND;
    } else if (filter->held_size == TERMINAL_FILTER_HELD_MAX) {
        forget(filter);
        filter->state = GROUND;
    }
}

static void feed_string(struct terminal_filter *filter, uint8_t byte, struct output *out) {
    if (filter->state == STRING_ESCAPE) {
        if (byte == '\\') {
            if (!filter->drop) {
                put(out, ESC);
                put(out, byte);
            }
            filter->state = GROUND;
            return;
        }
        /* ESC and anything else ends the string and begins a sequence of its own. */
        if (!filter->drop) {
            put(out, BEL);
        }
        hold(filter, ESC);
        filter->state = ESCAPE;
        feed_escape(filter, byte, out);
        return;
    }
    if (byte == ESC) {
        filter->utf8_left = 0;
        filter->state = STRING_ESCAPE;
        return;
    }
    if (!filter->drop) {
        put_text(filter, byte, out);
    }
    if (byte == BEL) {
        filter->state = GROUND;
    }
}

static void feed_osc_number(struct terminal_filter *filter, uint8_t byte, struct output *out) {
    if (byte >= '0' && byte <= '9' && filter->held_size < 16) {
        hold(filter, byte);
        return;
    }
    /* Anything else after the number could vanish later and let more digits join it. */
    bool number_ends = byte == ';' || byte == BEL || byte == ESC;
    string_begin(filter, out, !number_ends || !osc_may_pass(filter));
    feed_string(filter, byte, out);
}

static void feed_byte(struct terminal_filter *filter, uint8_t byte, struct output *out) {
    /* CAN and SUB end any sequence in any terminal. */
    if ((byte == CAN || byte == SUB) && filter->state != GROUND) {
        filter->held_size = 0;
        filter->utf8_left = 0;
        filter->state = GROUND;
        put(out, byte);
        return;
    }
    switch ((enum filter_state)filter->state) {
    case GROUND:
        feed_ground(filter, byte, out);
        return;
    case ESCAPE:
        feed_escape(filter, byte, out);
        return;
    case INTERMEDIATE:
        feed_intermediate(filter, byte, out);
        return;
    case CSI:
    case CSI_OVERFLOW:
        feed_csi(filter, byte, out);
        return;
    case OSC_NUMBER:
        feed_osc_number(filter, byte, out);
        return;
    case STRING:
    case STRING_ESCAPE:
        feed_string(filter, byte, out);
        return;
    }
    ASSERT(!"a state of the enum");
}

void terminal_filter_init(struct terminal_filter *filter) {
    *filter = (struct terminal_filter){.state = GROUND};
}

size_t terminal_filter_room(size_t size) {
    /* What was held may be released, and a string cut short by ESC gains a BEL. */
    return 2 * size + TERMINAL_FILTER_HELD_MAX + 2;
}

size_t terminal_filter_feed(struct terminal_filter *filter, const uint8_t *data, size_t size,
                            uint8_t *out) {
    struct output output = {.data = out};
    for (size_t i = 0; i < size; i++) {
        feed_byte(filter, data[i], &output);
    }
    return output.size;
}
