// A second endpoint for MPW/1, deliberately small: a leaf that asks, talks and goes.
//
// Written from docs/protocol.md (what is on the wire) and docs/agents.md (what is said to the
// harness) alone, in another language than the reference endpoint and sharing nothing with it.
// Numbers in comments of all its modules are sections and rules of docs/protocol.md.
//
// It can: sockets of MPW_ROOTED that are c_leaf/d_leaf, joining a root, data both ways with repair,
// an invitation that crosses its request, leaving, being expelled, dismantling, aborting,
// keepalive, the loss of its interface, over IPv4 and IPv6. It cannot listen, be a root, or any
// other protocol entry; those calls are answered `unsupported`.
//
//   agent     serves calls          calls       what each takes and does    lines      JSON Lines
//   socket    calls to events       strangers   whom nothing belongs to     failures   of calls
//   joining   until an answer       crossed     by an invitation            end        of both
//   membership  keepalive, ending   receiving   data of the root            sending    data to it
//   codec     octets to messages    messages    the formats as data         udp        of Node
//   numbers, chance, time
//
// Run by `python -m mpwire.testing.peers.javascript`, or by `node agent.mjs`; Node 18.14 or newer.

import { CALLS, argumentsOf, sockets } from "./calls.mjs";
import { Unsupported, described } from "./failures.mjs";
import { parse, say, serveLines } from "./lines.mjs";
import { lookAround } from "./socket.mjs";
import { turn } from "./time.mjs";

const LOOK_MS = 200; // how often for addresses that are gone
let eventCount = 0;

// Complete calls that waited, and tell what the sockets have recorded.
function report() {
  for (const socket of sockets.values()) {
    for (const waiting of socket.blocked.splice(0)) {
      const answer = attempt(waiting.again);
      if (answer.error?.name === "WSAEWOULDBLOCK") socket.blocked.push(waiting);
      else say({ id: waiting.id, ...answer });
    }
    if (!socket.reported) continue;
    for (const { event, code } of socket.enumerate()) {
      eventCount += 1;
      say({ event, socket: socket.descriptor, code, seq: eventCount });
    }
  }
}

function attempt(call) {
  try {
    return { result: call() };
  } catch (error) {
    return described(error);
  }
}

async function serve(line) {
  let id = null;
  try {
    const { id: number, call: name, args = {} } = parse(line);
    id = number;
    if (!Object.hasOwn(CALLS, name)) throw new Unsupported(name);
    await answer(id, CALLS[name], argumentsOf(name, args));
    if (name === "exit") process.exit(0);
  } catch (error) {
    say({ id, ...described(error) });
  }
  report();
}

// Answer a call, now or, if it has to wait on a blocking socket, when it can be.
async function answer(id, call, args) {
  try {
    say({ id, result: await call.does(args) });
  } catch (error) {
    const waits = call.waits && args.socket.blocking && error.message === "WSAEWOULDBLOCK";
    if (!waits) throw error;
    args.socket.blocked.push({ id, again: () => call.waits(args) });
  }
}

turn.done = report;
setInterval(() => {
  lookAround();
  report();
}, LOOK_MS).unref();

// Node is not told of ICMP errors about what it has sent: a root behind a net that is unreachable
// is one that does not answer.
const known = { calls: Object.keys(CALLS), lacks: ["icmp"] };
say({ hello: { contract: 1, name: "mpwire-leaf-js", version: "1", ...known } });
serveLines(serve);
