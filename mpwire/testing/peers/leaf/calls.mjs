// The calls of the contract that a leaf needs: what each takes, and what it does.
// Written from docs/agents.md (calls) and docs/sockets.md.

import { random } from "./chance.mjs";
import { Failure, Invalid, Unsupported, described } from "./failures.mjs";
import { isNumber, say } from "./lines.mjs";
import { DIRECTIONS } from "./numbers.mjs";
import { EVENTS, Socket, arrivals, lookAround } from "./socket.mjs";
import { DEFAULTS, plan } from "./time.mjs";

const NEVER = [
  "FD_ACCEPT", "FD_OOB", "FD_QOS", "FD_GROUP_QOS", "FD_ROUTING_INTERFACE_CHANGE",
  "FD_ADDRESS_LIST_CHANGE",
]; // on a leaf that asks

export const sockets = new Map(); // by descriptor
let lastDescriptor = 0;

// What an argument has to be; a name that is not here is an argument that is not supported.
const isHex = (value) => typeof value === "string" && /^([0-9a-fA-F]{2})*$/.test(value);
const isAddress = (value) => Array.isArray(value) && value.length === 2 &&
  typeof value[0] === "string" && isNumber(value[1]) && value[1] >= 0 && value[1] <= 0xffff;
const isOneOf = (...words) => (value) => words.includes(value);
const isListOf = (...words) => (value) =>
  Array.isArray(value) && value.every((word) => words.includes(word));
const isBoolean = (value) => typeof value === "boolean";
const orNull = (is) => (value) => value === null || is(value);
const isTimers = (value) => value !== null && typeof value === "object" && !Array.isArray(value) &&
  Object.entries(value).every(([name, time]) => name in DEFAULTS && Number.isFinite(time));

const ON_SOCKET = { socket: [isNumber] };
export const CALLS = {
  configure: {
    takes: {
      seed: [orNull(isNumber), null], timers: [isTimers, {}], side_chat: [isBoolean, false],
    },
    does({ seed, timers, side_chat: sideChat }) {
      if (lastDescriptor > 0) throw new Invalid("configure: a socket has been made already");
      if (sideChat) throw new Unsupported("configure: side_chat");
      random.seed(seed);
      Object.assign(plan, timers);
      return {};
    },
  },
  socket: {
    takes: {
      flags: [isListOf("C_ROOT", "C_LEAF", "D_ROOT", "D_LEAF")],
      family: [isOneOf("inet", "inet6"), "inet"],
      protocol: [(value) => typeof value === "string", "MPW_ROOTED"],
    },
    does({ flags, family, protocol }) {
      if (protocol !== "MPW_ROOTED") throw new Unsupported(`socket: protocol ${protocol}`);
      const wanted = ["C_LEAF", "D_LEAF"];
      if (flags.length !== 2 || !wanted.every((flag) => flags.includes(flag))) {
        throw new Unsupported(`socket: flags ${flags.join(", ") || "none"}`);
      }
      lastDescriptor += 1;
      sockets.set(lastDescriptor, new Socket(lastDescriptor, family));
      return { socket: lastDescriptor };
    },
  },
  bind: {
    takes: { ...ON_SOCKET, address: [isAddress] },
    does: ({ socket, address: [host, port] }) => socket.bind(host, port),
  },
  event_select: {
    takes: { ...ON_SOCKET, events: [isListOf(...EVENTS, ...NEVER)], report: [isBoolean, true] },
    does({ socket, events, report: reported }) {
      socket.select(events, reported);
      return {};
    },
  },
  enum_network_events: {
    takes: ON_SOCKET,
    does: ({ socket }) => ({ events: socket.enumerate() }),
  },
  join_leaf: {
    takes: {
      ...ON_SOCKET, address: [isAddress], flags: [isOneOf(...Object.keys(DIRECTIONS)), "BOTH"],
      caller_data: [orNull(isHex), null], callee_capacity: [isNumber, 512],
      sqos: [orNull((value) => typeof value === "object"), null],
    },
    async does({ socket, sqos, caller_data: data, ...rest }) {
      if (sqos !== null) throw new Unsupported("join_leaf: sqos");
      await socket.join({ ...rest, caller_data: data === null ? null : Buffer.from(data, "hex") });
      if (socket.blocking) throw new Failure("WSAEWOULDBLOCK"); // answered when it is decided
      return { socket: socket.descriptor };
    },
    waits: ({ socket }) => socket.joinOutcome(),
  },
  callee_data: {
    takes: ON_SOCKET,
    does: ({ socket }) => socket.calleeData(),
  },
  send: {
    takes: { ...ON_SOCKET, data: [isHex], private: [isBoolean, false] },
    does({ socket, data, private: secret }) {
      if (secret) throw new Unsupported("send: private");
      return socket.send(Buffer.from(data, "hex"));
    },
    waits(args) {
      return this.does(args);
    },
  },
  recv: {
    takes: ON_SOCKET,
    does: ({ socket }) => socket.recv(),
    waits: ({ socket }) => socket.recv(),
  },
  shutdown: {
    takes: { ...ON_SOCKET, how: [isOneOf("SEND", "RECEIVE", "BOTH")] },
    does({ socket, how }) {
      socket.shutdown(how);
      return {};
    },
  },
  close: {
    takes: ON_SOCKET,
    does({ socket }) {
      sockets.delete(socket.descriptor);
      const ended = described(new Failure("WSA_OPERATION_ABORTED"));
      for (const { id } of socket.blocked.splice(0)) say({ id, ...ended });
      socket.close();
      return {};
    },
  },
  set_linger: {
    takes: { ...ON_SOCKET, seconds: [orNull((value) => Number.isFinite(value)), null] },
    does({ socket, seconds }) {
      if (seconds) throw new Unsupported("set_linger: seconds"); // off and 0 only
      socket.linger = seconds;
      return {};
    },
  },
  getsockname: {
    takes: ON_SOCKET,
    does: ({ socket }) => ({ address: socket.name }),
  },
  barrier: {
    takes: {},
    // A turn of Node's loop takes what is queued at every socket, some datagrams at a time, before
    // it comes to setImmediate: a whole turn without any means that there was nothing left.
    does: () => new Promise((done) => {
      lookAround();
      let before = -1;
      const again = () => {
        if (arrivals.count === before) return done({});
        before = arrivals.count;
        return setImmediate(again);
      };
      setImmediate(again);
    }),
  },
  exit: {
    takes: {},
    does: () => ({}),
  },
};

// Check what a call is given, and look its socket up.
export function argumentsOf(name, given) {
  const { takes } = CALLS[name];
  const unknown = Object.keys(given).filter((key) => !Object.hasOwn(takes, key));
  if (unknown.length > 0) throw new Unsupported(`${name}: ${unknown.join(", ")}`);
  const made = {};
  for (const [key, [is, usual]] of Object.entries(takes)) {
    if (given[key] === undefined && usual === undefined) throw new Invalid(`${name}: no ${key}`);
    made[key] = given[key] === undefined ? usual : given[key];
    if (!is(made[key])) throw new Invalid(`${name}: ${key} is ${JSON.stringify(made[key])}`);
  }
  if (!("socket" in takes)) return made;
  const socket = sockets.get(made.socket);
  if (!socket) throw new Failure("WSAENOTSOCK");
  return { ...made, socket };
}
