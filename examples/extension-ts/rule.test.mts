// SPDX-License-Identifier: Apache-2.0
//
// The rule as a table. Run it with: node rule.test.mts

import { judge } from "./rule.mts";

const table: ReadonlyArray<readonly [string | undefined, string]> = [
  [undefined, "pass"],
  ["src/payment.ts", "pass"],
  ["src/p\u0430yment.ts", "deny"], // Cyrillic а
  ["docs/\u03b1lpha.md", "deny"], // Greek α
  ["\u0434\u043e\u043a/\u0444\u0430\u0439\u043b", "review"], // a Cyrillic name
  ["\u0434\u043e\u043a/file.md", "review"], // each name by itself is in one alphabet
  ["\u0434\u043e\u043a/a\u0430", "deny"],
  ["caf\u00e9/na\u00efve.txt", "pass"], // Latin, with accents
  ["2026/\u65e5\u672c.txt", "pass"], // no letters that are taken for others
];

let failed = 0;
for (const [path, expected] of table) {
  const { verdict } = judge({ operation: "stage.apply", ...(path !== undefined && { path }) });
  if (verdict !== expected) {
    console.error(`${path}: expected ${expected}, got ${verdict}`);
    failed++;
  }
}
console.log(`${table.length - failed} of ${table.length} cases`);
process.exit(failed === 0 ? 0 : 1);
