/* SPDX-License-Identifier: Apache-2.0 */
#include "edge/edge.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/limits.h"
#include "codec/error_report.h"
#include "edge/certificates.h"
#include "edge/confine.h"
#include "edge/leg.h"
#include "edge/listen.h"
#include "edge/side.h"
#include "edge/worker.h"
#include "proxy/resolve.h"
#include "sys/fd.h"

enum { DRAIN_STEP_MS = 20, LOOK_S = 1, MANY = 1000, KEPT_BYTES = 2 << 20 };

/* What a reload does not change. */
struct edge_started {
    enum edge_engine engine;
    uint32_t workers;
    char metrics[LIMIT_PATH_BYTES]; /* where they are served; "": nowhere */
    struct edge_bind bind;          /* the same; its text is not kept */
    struct listen_path path;
};

struct edge {
    const struct edge_options *options;
    struct builder hosts;
    struct metric_names *names;
    struct source_limits *sources;
    struct edge_log *log;
    struct log_writer *writer;                       /* the main thread's */
    struct metrics *metrics[LIMIT_EDGE_WORKERS + 1]; /* the last one the main thread's */
    struct worker *workers[LIMIT_EDGE_WORKERS];
    uint32_t worker_count;
    struct setup *setup;
    struct side *side;
    struct edge_started started;
    bool is_confined;   /* to the files that it needs */
    uint32_t live_most; /* connections, since memory was given back */
};

static uint32_t processor_count(void) {
    cpu_set_t set;
    int count = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;
    if (limit_past(count > LIMIT_EDGE_WORKERS, LIMIT_ID_EDGE_WORKERS)) {
        return (uint32_t)LIMIT_EDGE_WORKERS;
    }
    return count < 1 ? 1 : (uint32_t)count;
}

static struct metrics *own_metrics(const struct edge *edge) {
    return edge->metrics[edge->worker_count];
}

/* As many descriptors as may be had: each connection has two. */
static void raise_files(void) {
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &files);
    }
}

static status_t make_writer(struct edge *edge, struct metrics *metrics,
                            struct log_writer **ret_writer, struct error *err) {
    const struct log_writer_options options = {.clock = clock_system(), .metrics = metrics};
    return log_writer_new(edge->log, &options, ret_writer, err);
}

static status_t make_worker(struct edge *edge, enum edge_engine engine, uint32_t index,
                            char ret_reason[static IO_REASON_BYTES], struct error *err) {
    struct worker_options options = {
        .engine = engine,
        .metrics = edge->metrics[index],
        .sources = edge->sources,
        .index = index,
        .count = edge->worker_count,
    };
    TRY(make_writer(edge, options.metrics, &options.log, err));
    return worker_new(&options, &edge->workers[index], ret_reason, err);
}

static status_t make_workers(struct edge *edge, const struct edge_config *config,
                             struct error *err) {
    char reason[IO_REASON_BYTES] = "";
    for (uint32_t i = 0; i <= edge->worker_count; i++) {
        TRY(metrics_new(&edge->metrics[i], err));
    }
    TRY(edge_log_start(edge->options->log_fd, &edge->log, err));
    TRY(make_writer(edge, own_metrics(edge), &edge->writer, err));
    for (uint32_t i = 0; i < edge->worker_count; i++) {
        TRY(make_worker(edge, config->engine, i, reason, err));
    }
    const char *engine = io_name(edge->workers[0]->io);
    metric_names_set_engine(edge->names, engine, reason);
    LOG_EVENT(edge->writer, PROXY_EVENT_ENGINE, {"engine", engine, 0}, {"reason", reason, 0},
              {"workers", nullptr, edge->worker_count});
    return STATUS_OK;
}

static void tell_certificates(struct edge *edge) {
    const struct setup *setup = edge->setup;
    for (uint32_t i = 0; i < METRIC_LISTENERS; i++) { /* a listener may have gone */
        metrics_set(own_metrics(edge), METRIC_CERTIFICATE_EXPIRY,
                    (struct metric_at){.label_1 = (uint16_t)i}, 0);
    }
    for (uint32_t i = 0; i < setup->config->listener_count; i++) {
        const struct setup_listener *one = &setup->listeners[i];
        if (one->tls == nullptr) {
            continue;
        }
        int64_t expiry = tls_server_expiry(one->tls);
        int64_t days = (expiry - time(nullptr)) / 86400;
        metrics_set(own_metrics(edge), METRIC_CERTIFICATE_EXPIRY,
                    (struct metric_at){.label_1 = one->number}, expiry);
        if (days < CERTIFICATE_SOON_DAYS) {
            LOG_EVENT(edge->writer, PROXY_EVENT_CERTIFICATE, {"listener", one->config->name, 0},
                      {"days", nullptr, days});
        }
    }
}

static void tell_listeners(struct edge *edge) {
    for (uint32_t i = 0; i < edge->setup->config->listener_count; i++) {
        const struct edge_listener *one = &edge->setup->config->listeners[i];
        LOG_EVENT(edge->writer, PROXY_EVENT_LISTENING, {"listener", one->name, 0},
                  {"bind", one->bind.text, 0});
    }
    tell_certificates(edge);
}

static status_t start_side(struct edge *edge, struct error *err) {
    const struct edge_config *config = edge->setup->config;
    const struct side_options options = {
        .metrics = config->has_metrics ? &config->metrics : nullptr,
        .log = edge->log,
        .threads = (const struct metrics *const *)edge->metrics,
        .thread_count = edge->worker_count + 1,
        .names = edge->names,
        .upstreams = edge->setup->upstreams,
        .upstream_count = config->upstream_count,
    };
    if (!status_is_ok(side_start(edge->side, &options, err))) {
        return error_context(err, "in metrics");
    }
    if (config->has_metrics) {
        edge->started.path = listen_path_of(&config->metrics);
    }
    return STATUS_OK;
}

/* In every worker; memory is all that can fail. */
static status_t use_setup(struct edge *edge, struct setup *setup, struct error *err) {
    for (uint32_t i = 0; i < edge->worker_count; i++) {
        if (!worker_use(edge->workers[i], setup)) {
            return error_set(err, ERROR_NO_MEMORY, 0, "cannot put the configuration in force");
        }
    }
    return STATUS_OK;
}

static status_t start_workers(struct edge *edge, struct error *err) {
    for (uint32_t i = 0; i < edge->worker_count; i++) {
        TRY(worker_start(edge->workers[i], err));
    }
    return use_setup(edge, edge->setup, err);
}

static const char *confinement(const struct edge *edge, bool has_landlock) {
    if (edge->options->is_unconfined) {
        return "no";
    }
    return has_landlock ? "yes" : "all but files: this kernel has no Landlock";
}

/* What needs files, then files are given up; what needs system calls that nobody else does, then
 * these; and then the first client. */
static status_t begin(struct edge *edge, struct error *err) {
    struct edge_config *config = nullptr;
    bool has_landlock = false;
    TRY(resolve_read_hosts(&edge->hosts, err));
    TRY(side_new(builder_slice(&edge->hosts), &edge->side, err));
    TRY(edge_config_load(edge->options->file, &config, err));
    edge->worker_count = config->workers > 0 ? config->workers : processor_count();
    edge->started = (struct edge_started){
        .engine = config->engine, .workers = config->workers, .bind = config->metrics};
    (void)snprintf(edge->started.metrics, sizeof edge->started.metrics, "%s",
                   config->has_metrics ? config->metrics.text : "");
    raise_files();
    status_t status = leg_prepare() ? metric_names_new(&edge->names, err)
                                    : error_set(err, ERROR_NO_MEMORY, 0, "cannot prepare TLS");
    if (!status_is_ok(status)) {
        edge_config_free(config);
        return status;
    }
    const struct setup_options options = {
        .config = config, .hosts = builder_slice(&edge->hosts), .names = edge->names};
    TRY(setup_new(&options, &edge->setup, err));
    if (!edge->options->is_unconfined) {
        TRY(edge_confine_files(config, &has_landlock, err));
        edge->is_confined = has_landlock;
    }
    TRY(source_limits_new((uint32_t)LIMIT_EDGE_SOURCES, &edge->sources, err));
    TRY(make_workers(edge, config, err));
    TRY(start_side(edge, err));
    if (!edge->options->is_unconfined) {
        TRY(edge_confine_calls(err));
    }
    TRY(start_workers(edge, err));
    tell_listeners(edge);
    side_set_ready(edge->side, nullptr);
    LOG_EVENT(edge->writer, PROXY_EVENT_START, {"file", config->file, 0},
              {"pid", nullptr, getpid()}, {"confined", confinement(edge, has_landlock), 0});
    return STATUS_OK;
}

static status_t try_reload(struct edge *edge, struct error *err) {
    struct edge_config *config = nullptr;
    struct setup *setup = nullptr;
    TRY(edge_config_load(edge->options->file, &config, err));
    const struct setup_options options = {
        .config = config,
        .hosts = builder_slice(&edge->hosts),
        .names = edge->names,
        .previous = edge->setup,
    };
    TRY(setup_new(&options, &setup, err));
    status_t status = side_use(edge->side, setup->upstreams, setup->config->upstream_count, err);
    if (!status_is_ok(status)) {
        setup_release(setup);
        return status;
    }
    struct setup *before = edge->setup;
    edge->setup = setup; /* the side has it already, and some workers do, whatever fails now */
    status = use_setup(edge, setup, err);
    if (status_is_ok(status)) {
        setup_stop_listening(before, setup,
                             false); /* those that stay have descriptors of their own */
    }
    setup_release(before);
    return status;
}

/* What was said at the start counts until the next one. */
static void tell_reloaded(struct edge *edge) {
    char waits[64];
    const struct edge_config *config = edge->setup->config;
    const struct edge_started *started = &edge->started;
    bool is_moved = strcmp(started->metrics, config->has_metrics ? config->metrics.text : "") != 0;
    (void)snprintf(
        waits, sizeof waits, "%s%s%s", started->engine != config->engine ? " engine" : "",
        started->workers != config->workers ? " workers" : "", is_moved ? " metrics" : "");
    const struct log_field fields[] = {{"file", config->file, 0}, {"after_restart", waits + 1, 0}};
    log_event(edge->writer, PROXY_EVENT_RELOADED, fields, waits[0] != '\0' ? 2 : 1);
}

/* Why a file that this user may read cannot be read. */
static const char NEW_FOLDER[] = "Since its start the proxy sees only the folders that its "
                                 "configuration named then: restart it, "
                                 "or put the file into one of those.";

static void tell_failed(struct edge *edge, const struct error *err) {
    char why[ERROR_DETAIL_BYTES_MAX + 128];
    bool is_path = err->os_errno == EACCES &&
                   (err->code != ERROR_IO || strstr(err->message, "unix://") != nullptr);
    error_report_why(err, why, sizeof why);
    LOG_EVENT(edge->writer, PROXY_EVENT_RELOAD_FAILED, {"error", err->message, 0}, {"why", why, 0},
              {"hint", is_path && edge->is_confined ? NEW_FOLDER : error_effective_hint(err), 0},
              {"in", err->context_count > 0 ? err->context[0] : "", 0});
}

static void reload(struct edge *edge) {
    struct error err = {};
    bool is_done = status_is_ok(try_reload(edge, &err));
    metrics_add(own_metrics(edge), METRIC_RELOADS,
                (struct metric_at){.label_1 = is_done ? EDGE_RELOAD_OK : EDGE_RELOAD_FAILED}, 1);
    if (is_done) {
        tell_reloaded(edge);
        tell_listeners(edge);
    } else {
        tell_failed(edge, &err);
    }
}

static uint32_t live_count(const struct edge *edge) {
    uint32_t count = 0;
    for (uint32_t i = 0; i < edge->worker_count; i++) {
        count += edge->workers[i]->live;
    }
    return count;
}

/* Until nobody is served any more, the time is over, or whoever asked is out of patience. */
static void drain(struct edge *edge, const sigset_t *signals) {
    const struct timespec step = {.tv_nsec = DRAIN_STEP_MS * 1000000L};
    uint64_t until_us = io_fresh_us() + (uint64_t)edge->setup->config->drain_ms * 1000u;
    side_set_ready(edge->side, "draining");
    LOG_EVENT(edge->writer, PROXY_EVENT_DRAINING, {"connections", nullptr, live_count(edge)});
    for (uint32_t i = 0; i < edge->worker_count; i++) {
        worker_drain(edge->workers[i]);
    }
    setup_stop_listening(edge->setup, nullptr, true);
    while (live_count(edge) > 0 && io_fresh_us() < until_us) {
        int signal = sigtimedwait(signals, nullptr, &step);
        if (signal == SIGTERM || signal == SIGINT) {
            break;
        }
    }
}

static void finish(struct edge *edge) {
    for (uint32_t i = 0; i < edge->worker_count; i++) {
        if (edge->workers[i] != nullptr) {
            worker_stop(edge->workers[i]);
            worker_free(edge->workers[i]);
        }
    }
    side_stop(edge->side);
    listen_forget(&edge->started.bind, &edge->started.path);
    setup_release(edge->setup);
    if (edge->writer != nullptr) {
        LOG_EVENT(edge->writer, PROXY_EVENT_STOPPED, {"pid", nullptr, getpid()});
    }
    edge_log_stop(edge->log);
    source_limits_free(edge->sources);
    metric_names_free(edge->names);
    for (uint32_t i = 0; i <= LIMIT_EDGE_WORKERS; i++) {
        metrics_free(edge->metrics[i]);
    }
    builder_deinit(&edge->hosts);
}

/* What thousands of connections left in the allocator's hands goes back to the system once most of
 * them are gone: a flood is not paid for until the next start. */
static void give_memory_back(struct edge *edge) {
    uint32_t live = live_count(edge);
    if (edge->live_most >= MANY && live < edge->live_most / 2) {
        (void)malloc_trim(0);
        edge->live_most = live;
    }
    edge->live_most = live > edge->live_most ? live : edge->live_most;
}

static void serve(struct edge *edge, const sigset_t *signals) {
    const struct timespec look = {.tv_sec = LOOK_S};
    for (;;) {
        int signal = sigtimedwait(signals, nullptr, &look);
        if (signal < 0) {
            give_memory_back(edge);
        } else if (signal == SIGHUP) {
            reload(edge);
        } else if (signal == SIGTERM || signal == SIGINT) {
            drain(edge, signals);
            return;
        }
    }
}

status_t edge_run(const struct edge_options *options, struct error *err) {
    static struct edge edge;
    sigset_t signals;
    edge = (struct edge){.options = options};
    (void)sigemptyset(&signals);
    (void)sigaddset(&signals, SIGHUP);
    (void)sigaddset(&signals, SIGTERM);
    (void)sigaddset(&signals, SIGINT);
    /* malloc_trim(3) leaves the end of a thread's heap alone, and what free(3) leaves there grows
     * with the largest block that ever was, to 64 MiB, unless it is said. */
    (void)mallopt(M_TRIM_THRESHOLD, KEPT_BYTES);
    if (pthread_sigmask(SIG_BLOCK, &signals, nullptr) != 0 || signal(SIGPIPE, SIG_IGN) == SIG_ERR) {
        return error_set(err, ERROR_IO, errno, "cannot wait for signals");
    }
    status_t status = begin(&edge, err);
    if (status_is_ok(status)) {
        serve(&edge, &signals);
    }
    finish(&edge);
    return status;
}
