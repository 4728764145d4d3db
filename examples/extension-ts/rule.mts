// SPDX-License-Identifier: Apache-2.0
//
// What no glob can say: a name that mixes alphabets is made to be taken for another one. "pаyment"
// with a Cyrillic "а" is denied, a name in one alphabet other than Latin is shown to a person, and
// about everything else this rule says nothing.

import type { Answer, Facts } from "./frames.mts";

const alphabets: ReadonlyArray<readonly [string, RegExp]> = [
  ["Latin", /\p{Script=Latin}/u],
  ["Cyrillic", /\p{Script=Cyrillic}/u],
  ["Greek", /\p{Script=Greek}/u],
  ["Armenian", /\p{Script=Armenian}/u],
  ["Cherokee", /\p{Script=Cherokee}/u],
];

export function judge(facts: Facts): Answer {
  if (facts.path === undefined) {
    return { verdict: "pass" };
  }
  let foreign = false;
  for (const name of facts.path.split("/")) {
    const found = alphabets.filter(([, letters]) => letters.test(name)).map(([alphabet]) => alphabet);
    if (found.length > 1) {
      return { verdict: "deny", reason: `the name ${name} mixes ${found.join(" and ")}` };
    }
    foreign ||= found.length === 1 && found[0] !== "Latin";
  }
  return foreign
    ? { verdict: "review", reason: "a name is not in Latin letters" }
    : { verdict: "pass" };
}
