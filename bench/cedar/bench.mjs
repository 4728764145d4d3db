// SPDX-License-Identifier: Apache-2.0
//
// Cedar's WASM build on the rules and requests that bench_policy wrote:
//
//   node bench.mjs FOLDER_WITH_NODE_MODULES FOLDER_WITH_QUESTIONS
//
// The policy set is parsed once and kept inside the module (statefulIsAuthorized), which is the
// fastest way it has. Cedar knows permit and forbid; a rule that wants a review is a permit whose
// name says so. Every answer is compared with ours: a peer that answers something else is no peer.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";

const ROUNDS = 3;
const [, , installed, questions] = process.argv;
const require = createRequire(join(installed, "index.js"));
const cedar = require("@cedar-policy/cedar-wasm/nodejs");

function policyText(rule) {
  const effect = rule.action === "deny" ? "forbid" : "permit";
  return (
    `${effect}(principal, action == Action::"${rule.operation}", resource) when { ` +
    `context.path like "${rule.folder}/*" && !(context.path like "${rule.folder}/*.lock") };`
  );
}

function outcomeOf(answer) {
  if (answer.type !== "success") {
    throw new Error(JSON.stringify(answer.errors));
  }
  const { decision, diagnostics } = answer.response;
  if (decision !== "allow") {
    return "deny";
  }
  return diagnostics.reason.some((id) => id.startsWith("review")) ? "require_review" : "allow";
}

function callFor(request) {
  return {
    principal: { type: "User", id: "uid:1000" },
    action: { type: "Action", id: request.operation },
    resource: { type: "File", id: request.path },
    context: { path: request.path },
    preparsedPolicySetId: "rules",
    entities: [],
  };
}

function row(what, samples) {
  samples.sort((a, b) => a - b);
  const at = (part) => samples[Math.floor(samples.length * part)] / 1e3;
  const text = (number) => number.toFixed(2).padStart(9);
  console.log(`${what.padEnd(52)} ${text(at(0.5))} us p50 ${text(at(0.99))} us p99`);
}

function measure(file, what) {
  const { rules, requests } = JSON.parse(readFileSync(join(questions, file), "utf8"));
  const staticPolicies = {};
  rules.forEach((rule, index) => {
    const kind = rule.action === "require_review" ? "review" : "rule";
    staticPolicies[`${kind}-${index}`] = policyText(rule);
  });
  const start = process.hrtime.bigint();
  const parsed = cedar.preparsePolicySet("rules", { staticPolicies });
  const took = Number(process.hrtime.bigint() - start) / 1e6;
  if (parsed.type !== "success") {
    throw new Error(JSON.stringify(parsed.errors));
  }
  const samples = [];
  for (let round = 0; round < ROUNDS; round++) {
    for (const request of requests) {
      const call = callFor(request);
      const before = process.hrtime.bigint();
      const answer = cedar.statefulIsAuthorized(call);
      const after = process.hrtime.bigint();
      const outcome = outcomeOf(answer);
      if (outcome !== request.outcome) {
        throw new Error(`${request.operation} ${request.path}: ${outcome}, not ${request.outcome}`);
      }
      if (round > 0) {
        samples.push(Number(after - before)); // the first round warms up
      }
    }
  }
  row(what, samples);
  return took;
}

console.log(`Cedar ${cedar.getCedarVersion()} (WASM, node ${process.versions.node})`);
measure("spread.json", "decision, 1,000 policies over 50 operations");
const took = measure("same.json", "decision, 1,000 policies for the same operation");
console.log(`${"parse 1,000 policies".padEnd(52)} ${took.toFixed(2).padStart(9)} ms`);
