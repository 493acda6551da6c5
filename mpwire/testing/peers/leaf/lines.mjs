// Lines of the contract: one JSON object each, calls in, answers and events out.
// Written from docs/agents.md (lines).

import { Invalid } from "./failures.mjs";

const LONGEST = 1 << 20; // no line of the contract is that long

export const isNumber = (value) => Number.isInteger(value);
const isObject = (value) => value !== null && typeof value === "object" && !Array.isArray(value);

export const say = (line) => process.stdout.write(`${JSON.stringify(line)}\n`);

export function parse(line) {
  let call;
  try {
    call = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(line));
  } catch (error) {
    throw new Invalid(String(error.message));
  }
  if (!isObject(call) || !isNumber(call.id) || typeof call.call !== "string") {
    throw new Invalid("expected an object with an id and a call");
  }
  if (Object.keys(call).some((key) => !["id", "call", "args"].includes(key))) {
    throw new Invalid("expected id, call and args only");
  }
  if (!isObject(call.args ?? {})) throw new Invalid("expected args to be an object");
  return call;
}

// Serve each line of standard input, one after the other, and end with it.
export function serveLines(serve) {
  let rest = Buffer.alloc(0);
  let served = Promise.resolve();
  process.stdin.on("data", (chunk) => {
    rest = Buffer.concat([rest, chunk]);
    for (let end = rest.indexOf(0x0a); end >= 0; end = rest.indexOf(0x0a)) {
      const line = rest.subarray(0, end);
      rest = rest.subarray(end + 1);
      if (line.toString("latin1").trim() !== "") served = served.then(() => serve(line));
    }
    if (rest.length > LONGEST) process.exit(0);
  });
  process.stdin.on("end", () => served.then(() => process.exit(0)));
}
