// SPDX-License-Identifier: Apache-2.0
//
// The frames that Airlock and an extension speak: a u32 length, big-endian, and so many bytes of
// JSON. Questions come on standard input, answers go to standard output, one for one.

import { readSync, writeSync } from "node:fs";

export interface Facts {
  operation: string;
  path?: string;
  caller?: string;
  template?: string;
  size?: number;
  [field: string]: unknown;
}

export interface Answer {
  verdict: "allow" | "deny" | "review" | "pass";
  reason?: string;
}

interface Question {
  id: string;
  type: "request";
  method: string;
  params: Facts;
}

/** Exactly `count` bytes, or null at the end of the input. */
function read(count: number): Buffer | null {
  const bytes = Buffer.alloc(count);
  for (let at = 0; at < count; ) {
    const size = readSync(0, bytes, at, count - at, null);
    if (size === 0) {
      return null;
    }
    at += size;
  }
  return bytes;
}

function respond(id: string, result: object): void {
  const body = Buffer.from(JSON.stringify({ id, type: "response", result }));
  const frame = Buffer.alloc(4 + body.length);
  frame.writeUInt32BE(body.length);
  body.copy(frame, 4);
  for (let at = 0; at < frame.length; ) {
    at += writeSync(1, frame, at);
  }
}

/** Answers every question with what `judge` says of its facts, until Airlock hangs up. */
export function serve(judge: (facts: Facts) => Answer): void {
  for (;;) {
    const length = read(4);
    const body = length && read(length.readUInt32BE());
    if (!body) {
      return;
    }
    const question = JSON.parse(body.toString()) as Question;
    if (question.method === "policy.hello") {
      respond(question.id, { version: 1 });
    } else {
      respond(question.id, judge(question.params));
    }
  }
}
