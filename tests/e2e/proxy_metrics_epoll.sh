#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# proxy_metrics.sh on the engine that every kernel and container has.
engine=epoll
. "$AIRLOCK_SOURCE_DIR/tests/e2e/proxy_metrics.sh"
