// A second endpoint for MPW/1, deliberately small: a leaf that asks, talks and goes.
//
// Written from docs/protocol.md (what is on the wire) and docs/agents.md (what is said to the
// harness) alone, in another language than the reference endpoint and sharing nothing with it.
// Numbers in comments are sections and rules of docs/protocol.md.
//
// It can: sockets of MPW_ROOTED that are c_leaf/d_leaf, joining a root, data both ways with repair,
// an invitation that crosses its request, leaving, being expelled, dismantling, aborting, keepalive,
// the loss of its interface, over IPv4 and IPv6. It cannot listen,
// be a root, or any other protocol entry; those calls are answered `unsupported`.
//
// Run by `python -m mpwire.testing.peers.javascript`, or by `node leaf.mjs`; Node 18 or newer.

import dgram from "node:dgram";
import os from "node:os";

// Numbers --------------------------------------------------------------------------------------

const MAGIC = 0x6d70;
const HEADER = 32;
const LARGEST = 1200;
const MAX_PAYLOAD = 1156;
const JOIN_REQ_LEAST = 128;
const HIGHEST_MEMBER = 0xffffffef;
const ROOT = 1;
const NONE = "0000000000000000"; // no tag, no session: 64 bits are 16 hexadecimal digits here
const FLAG = { R: 0x80, A: 0x40, M: 0x20, X: 0x10, G: 0x01 };
const CAPS_REPAIR = 0x02;
const CAPS_GREASE = 0x80000000;
const PLANES = 0x03; // rooted control, rooted data: the only kind of session spoken here
const DIRECTIONS = { SENDER_ONLY: [1, 1], RECEIVER_ONLY: [2, 2], BOTH: [4, 3] }; // JL, LeafDir
const MAY_SEND = 1;
const RECEIVES = 2;
const BUFFER = 256; // 11.3: room for messages of one origin
const FIRST_WINDOW = 32;
const BURST = 32; // 11.8
const AHEAD = 1024; // 11.2
const ORIGINS = 1024; // 11.5
const KEPT_AHEAD = 4096;
const NACKS = 8; // 11.4
const RANGES = 32;
const REPAIRS_AT_ONCE = 64;
const PROBES = 4; // 10
const CANCELS = 3;

const WSA = {
  WSA_OPERATION_ABORTED: 995, WSAEINVAL: 10022,
  WSAEWOULDBLOCK: 10035, WSAEALREADY: 10037, WSAENOTSOCK: 10038,
  WSAEMSGSIZE: 10040, WSAEOPNOTSUPP: 10045, WSAEAFNOSUPPORT: 10047, WSAEADDRINUSE: 10048,
  WSAEADDRNOTAVAIL: 10049, WSAENETDOWN: 10050, WSAENETUNREACH: 10051,
  WSAECONNABORTED: 10053, WSAECONNRESET: 10054,
  WSAENOBUFS: 10055, WSAEISCONN: 10056, WSAENOTCONN: 10057, WSAESHUTDOWN: 10058,
  WSAETIMEDOUT: 10060, WSAECONNREFUSED: 10061, WSAEDISCON: 10101, WSAEFAULT: 10014,
};

// Octets ---------------------------------------------------------------------------------------

const grease = (code) => (code & 0x0f) === 0x0a;
const among = (...codes) => (code) => codes.includes(code);
const reason = (...codes) => (code) => codes.includes(code) || grease(code);
const only = (bits) => (value) => (value & ~bits) === 0;
const leafDir = (value) => (value & 3) !== 0 && (value & 0xf8) === 0;
const member = (value) => value <= HIGHEST_MEMBER;
const set = (tag) => tag !== NONE;
const zero = (value) => value === 0;

// 5.1: name, fields as [name, octets, what is legal], TLVs that may stand there, TLVs that must
const MESSAGES = new Map([
  [0x00, message("VERSION_NEG", [["count", 1], ["rsv", 3, zero]], "", "")],
  [0x01, message("JOIN_REQ",
    [["initTag", 8, set], ["role", 1, among(1, 2, 3)], ["jl", 1, among(1, 2, 4)],
      ["leafDir", 1, leafDir], ["planes", 1, only(0x0f)], ["nextDataSeq", 4], ["maxPayload", 2],
      ["rsv", 2, zero]],
    "PAD QOS CALLEE_ROOM COOKIE CALLER_DATA SEALED", "TIMERS CAPS VERSIONS")],
  [0x02, message("CHALLENGE", [["cookieLifeMs", 4]], "", "COOKIE")],
  [0x03, message("PENDING",
    [["respTag", 8, set], ["state", 1, among(1, 2, 3)], ["rsv", 1, zero], ["queuePos", 2],
      ["pollMs", 4]], "EVENT_ECHO", "")],
  [0x04, message("ACCEPT",
    [["respTag", 8, set], ["assignedId", 4, member], ["leafDir", 1, leafDir], ["rsv", 1, zero],
      ["maxPayload", 2], ["nextDataSeq", 4]],
    "SESSION_DESC CALLEE_DATA SEALED", "TIMERS CAPS VERSIONS")],
  [0x05, message("CONFIRM",
    [["assignedId", 4, member], ["nextDataSeq", 4], ["leafDir", 1, leafDir], ["rsv", 3, zero]],
    "EVENT_ECHO SESSION_DESC SEALED", "")],
  [0x06, message("REJECT",
    [["reason", 1, reason(1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 12, 13, 14, 15)], ["rsv", 1, zero],
      ["retryAfterS", 2], ["detail", 4]], "REASON_TEXT UNKNOWN_TLVS", "")],
  [0x07, message("CANCEL", [["initTag", 8, set], ["reason", 1, reason(1, 2)], ["rsv", 3, zero]],
    "", "")],
  [0x08, message("CANCEL_ACK", [["result", 1, among(0, 1, 2)], ["rsv", 3, zero]], "", "")],
  [0x09, message("CLOSE",
    [["reason", 1, reason(1, 2, 3)], ["cflags", 1, only(3)], ["rsv", 2, zero], ["finalSeq", 4],
      ["sideFinalSeq", 4]], "DISC_DATA REASON_TEXT SEALED", "")],
  [0x0b, message("CLOSE_ACK",
    [["ackFlags", 1, only(1)], ["rsv", 3, zero], ["rcvNext", 4], ["finalSeq", 4]],
    "EVENT_ECHO", "")],
  [0x0c, message("ABORT",
    [["reason", 1, reason(1, 2, 3, 4, 5, 6, 7, 8, 9)], ["rsv", 3, zero], ["echoSeq", 4]],
    "REASON_TEXT", "")],
  [0x0d, message("PROBE", [["nonce", 8], ["nextDataSeq", 4], ["rsv", 4, zero]], "PAD", "")],
  [0x0e, message("PROBE_ACK",
    [["nonce", 8], ["rcvNext", 4], ["lossPermille", 2, (value) => value <= 1000],
      ["rsv", 2, zero]], "REPORT EVENT_ECHO", "")],
  [0x10, message("DATA",
    [["origin", 4, member], ["dflags", 1, only(7)], ["hop", 1], ["rsv", 2, zero]],
    "SEALED PAYLOAD", "")],
  [0x11, message("SIDE", [["sflags", 1, only(1)], ["rsv", 3, zero]], "SEALED PAYLOAD", "")],
  [0x12, message("SYNC",
    [["origin", 4, member], ["trailSeq", 4], ["sflags", 1, only(1)], ["rsv", 3, zero]], "", "")],
  [0x13, message("NACK", [["origin", 4, member], ["count", 1], ["rsv", 3, zero]],
    "", "NACK_RANGES")],
  [0x14, message("MEMBER",
    [["action", 1, among(1, 2, 3)], ["leafDir", 1, leafDir], ["rsv", 2, zero],
      ["memberId", 4, member], ["boundarySeq", 4], ["rsv", 4, zero]], "SEALED ADDR", "")],
  [0x16, message("DATA_ACK", [["origin", 4, member], ["rcvNext", 4], ["window", 4]], "", "")],
]);

// 6: type, then least and most octets of the value and the step between
const TLVS = new Map([
  [0x0001, ["PAD", 0, LARGEST, 1]],
  [0x0004, ["TIMERS", 24, 24, 1]],
  [0x0005, ["CAPS", 4, 4, 1]],
  [0x0008, ["DISC_DATA", 1, 512, 1]],
  [0x000b, ["REPORT", 16, 16, 1]],
  [0x000c, ["VERSIONS", 2, 16, 1]],
  [0x000d, ["QOS", 8, 8, 1]],
  [0x000e, ["REASON_TEXT", 1, 128, 1]],
  [0x000f, ["EVENT_ECHO", 8, 64, 8]],
  [0x0012, ["UNKNOWN_TLVS", 2, 32, 2]],
  [0x0015, ["CALLEE_ROOM", 4, 4, 1]],
  [0x8002, ["COOKIE", 8, 40, 1]],
  [0x8003, ["SESSION_DESC", 20, 36, 1]],
  [0x8006, ["CALLER_DATA", 1, 512, 1]],
  [0x8007, ["CALLEE_DATA", 1, 512, 1]],
  [0x8009, ["PAYLOAD", 0, LARGEST, 1]],
  [0x8010, ["AUTH", 28, 28, 1]],
  [0x8011, ["SEALED", 20, LARGEST, 1]],
  [0x8013, ["ADDR", 8, 20, 12]],
  [0x8014, ["NACK_RANGES", 8, 256, 8]],
]);
const TYPE_OF = new Map([...MESSAGES].map(([code, { name }]) => [name, code]));
const TLV_OF = new Map([...TLVS].map(([code, [name]]) => [name, code]));
const rank = (type) => ({ 0x0001: 0x10000, 0x8010: 0x10001 })[type] ?? type; // R9, R14

function message(name, fields, optional, required) {
  const octets = fields.reduce((sum, [, width]) => sum + width, 0);
  const words = (text) => text.split(" ").filter(Boolean);
  const may = name === "VERSION_NEG" ? [] : [...words(optional), ...words(required), "AUTH"];
  return { name, fields, octets, may: new Set(may), must: words(required) };
}

// Build a datagram; values of TLVs are octets, and PAD is not among them.
function encode(name, header, body = {}, tlvs = {}) {
  const code = TYPE_OF.get(name);
  const { fields, octets } = MESSAGES.get(code);
  const head = Buffer.alloc(HEADER + octets);
  let at = HEADER;
  for (const [field, width] of fields) {
    const value = body[field] ?? 0;
    if (width === 8) head.write(value, at, "hex");
    else if (field !== "rsv") head.writeUIntBE(value, at, width);
    at += width;
  }
  const parts = Object.entries(tlvs)
    .filter(([, value]) => value !== null)
    .map(([key, value]) => [TLV_OF.get(key) ?? Number(key), value])
    .sort(([one], [other]) => rank(one) - rank(other))
    .map(([type, value]) => tlv(type, value));
  const missing = JOIN_REQ_LEAST - head.length - parts.reduce((sum, part) => sum + part.length, 0);
  if (name === "JOIN_REQ" && missing > 0) parts.push(tlv(0x0001, Buffer.alloc(missing - 4)));
  const datagram = Buffer.concat([head, ...parts]);
  datagram.writeUInt16BE(MAGIC, 0);
  datagram[2] = name === "VERSION_NEG" ? 0 : 1;
  datagram[3] = code;
  datagram[4] = (header.flags ?? 0) | (random.bit() ? FLAG.G : 0);
  datagram[5] = header.attempt ?? 1;
  datagram.writeUInt16BE(datagram.length, 6);
  datagram.write(header.session ?? NONE, 8, "hex");
  datagram.write(header.tag ?? NONE, 16, "hex");
  datagram.writeUInt32BE(header.seq >>> 0, 24);
  datagram.writeUInt32BE(header.sender ?? 0, 28);
  return datagram;
}

function tlv(type, value) {
  const made = Buffer.alloc(4 + Math.ceil(value.length / 4) * 4);
  made.writeUInt16BE(type, 0);
  made.writeUInt16BE(value.length, 2);
  value.copy(made, 4);
  return made;
}

// Read a datagram; null is what breaks a rule that one datagram alone decides (8).
function decode(datagram) {
  if (datagram.length < HEADER || datagram.readUInt16BE(0) !== MAGIC) return null;
  if (datagram.readUInt16BE(6) !== datagram.length) return null;
  const known = MESSAGES.get(datagram[3]);
  const m = {
    version: datagram[2],
    type: datagram[3],
    name: known?.name,
    flags: datagram[4],
    attempt: datagram[5],
    octets: datagram.length,
    session: datagram.toString("hex", 8, 16),
    tag: datagram.toString("hex", 16, 24),
    seq: datagram.readUInt32BE(24),
    sender: datagram.readUInt32BE(28),
    tlvs: {},
  };
  if (m.version > 1 && m.type === 0x01) return foreign(datagram, m);
  if (!known || m.version !== (m.name === "VERSION_NEG" ? 0 : 1)) return null;
  if (datagram.length < HEADER + known.octets) return null;
  if (m.name === "JOIN_REQ" && datagram.length < JOIN_REQ_LEAST) return null;
  if (m.type <= 0x08 && datagram.length > LARGEST) return null;
  if (m.flags & 0x0e || !member(m.sender)) return null;
  if (m.name !== "CANCEL" && (m.tag === NONE) !== (m.name === "JOIN_REQ")) return null;
  let at = HEADER;
  for (const [field, width, legal] of known.fields) {
    m[field] = width === 8 ? datagram.toString("hex", at, at + 8) : datagram.readUIntBE(at, width);
    if (legal && !legal(m[field])) return null;
    at += width;
  }
  if (m.name === "VERSION_NEG") return readVersions(datagram, m);
  return readTlvs(datagram, at, known, m) && fits(known, m) ? m : null;
}

// A join request in a version that is not spoken here keeps the place of what has to be answered.
function foreign(datagram, m) {
  if (datagram.length < JOIN_REQ_LEAST) return null;
  return { ...m, name: "FOREIGN", initTag: datagram.toString("hex", 32, 40) };
}

function readVersions(datagram, m) {
  const end = HEADER + 4 + m.count;
  if (m.count < 1 || m.count > 16 || datagram.length !== Math.ceil(end / 4) * 4) return null;
  if (datagram.subarray(end).some((octet) => octet !== 0)) return null;
  return { ...m, versions: [...datagram.subarray(HEADER + 4, end)] };
}

function readTlvs(datagram, start, known, m) {
  let at = start;
  let last = -1;
  m.fixed = datagram.toString("hex", HEADER, start);
  for (let count = 0; at < datagram.length; count += 1) {
    if (count === 32 || at + 4 > datagram.length) return false;
    const type = datagram.readUInt16BE(at);
    const length = datagram.readUInt16BE(at + 2);
    const end = at + 4 + Math.ceil(length / 4) * 4;
    if (end > datagram.length || rank(type) <= last) return false;
    last = rank(type);
    const value = datagram.subarray(at + 4, at + 4 + length);
    if (datagram.subarray(at + 4 + length, end).some((octet) => octet !== 0)) return false;
    if (![0x0001, 0x8002, 0x8010].includes(type) && (type & 0x0f0f) !== 0x0a0a) {
      m.fixed += datagram.toString("hex", at, end); // what a cookie binds (9.2)
    }
    const [name, least, most, step] = TLVS.get(type) ?? [];
    if (name === undefined) {
      if (type & 0x8000) return false; // mandatory and unknown: not acted on
    } else {
      if (!known.may.has(name) || length < least || length > most) return false;
      if ((length - least) % step !== 0) return false;
      m.tlvs[name] = value;
    }
    at = end;
  }
  return true;
}

function fits(known, m) {
  const { tlvs } = m;
  if (known.must.some((name) => !(name in tlvs))) return false;
  if (m.name === "DATA" || m.name === "SIDE") {
    if ("PAYLOAD" in tlvs === "SEALED" in tlvs) return false;
  }
  if ("AUTH" in tlvs !== ((m.flags & FLAG.A) !== 0)) return false;
  if (tlvs.PAD?.some((octet) => octet !== 0)) return false;
  if (tlvs.TIMERS && tlvs.TIMERS[23] & ~1) return false;
  if (tlvs.AUTH && tlvs.AUTH[3] !== 0) return false;
  if (tlvs.ADDR && (tlvs.ADDR[1] !== 0 || { 4: 8, 6: 20 }[tlvs.ADDR[0]] !== tlvs.ADDR.length)) {
    return false;
  }
  if (tlvs.REASON_TEXT) {
    try {
      new TextDecoder("utf-8", { fatal: true }).decode(tlvs.REASON_TEXT);
    } catch {
      return false;
    }
  }
  if (tlvs.SESSION_DESC) {
    const d = tlvs.SESSION_DESC;
    m.desc = {
      planes: d[0],
      groupTag: d.toString("hex", 4, 12),
      maxRate: d.readUInt32BE(12),
      maxPayload: d.readUInt16BE(16),
      repair: d[19],
    };
    if ({ 0: 20, 4: 24, 6: 36 }[d[1]] !== d.length || d[0] & 0xf0 || d[19] > 1) return false;
    if (m.desc.groupTag === NONE) return false;
  }
  if (tlvs.NACK_RANGES) {
    m.ranges = [];
    for (let at = 0; at < tlvs.NACK_RANGES.length; at += 8) {
      m.ranges.push([tlvs.NACK_RANGES.readUInt32BE(at), tlvs.NACK_RANGES.readUInt32BE(at + 4)]);
    }
    if (m.ranges.length !== m.count) return false;
    const from = m.ranges[0][0];
    let least = 0; // all within half the sequence space, counted from the first
    for (const [first, end] of m.ranges) {
      if (ahead(from, first) < least || ahead(first, end) < 0 || ahead(from, end) < 0) return false;
      least = ahead(from, end) + 1;
    }
  }
  return true;
}

// Serial numbers: how far `b` is ahead of `a`, negative if it is behind; and addition.
const ahead = (a, b) => (b - a) | 0;
const plus = (a, count) => (a + count) >>> 0;

// Chance and time ------------------------------------------------------------------------------

const random = {
  state: null, // none: from the system
  word() {
    if (this.state === null) return crypto.getRandomValues(new BigUint64Array(1))[0];
    const all = 0xffffffffffffffffn; // SplitMix64
    this.state = (this.state + 0x9e3779b97f4a7c15n) & all;
    let z = this.state;
    z = ((z ^ (z >> 30n)) * 0xbf58476d1ce4e5b9n) & all;
    z = ((z ^ (z >> 27n)) * 0x94d049bb133111ebn) & all;
    return z ^ (z >> 31n);
  },
  seed(number) {
    this.state = BigInt.asUintN(64, BigInt(number) ^ 0x6d70776972656a73n);
  },
  tag() {
    const drawn = this.word().toString(16).padStart(16, "0");
    return drawn === NONE ? this.tag() : drawn;
  },
  number() {
    return Number(this.word() & 0xffffffffn);
  },
  bit() {
    return (this.word() & 1n) === 1n;
  },
  between(low, high) {
    return low + ((high - low) * Number(this.word() >> 11n)) / 2 ** 53;
  },
};

const now = () => performance.now() / 1000;

// One thing that happens later, once; never early, which setTimeout may be.
class Timer {
  constructor(act) {
    this.act = act;
    this.due = null;
    this.handle = undefined;
  }

  set(seconds) {
    this.stop();
    this.due = now() + seconds;
    this.#arm();
  }

  sooner(seconds) {
    if (this.due === null || now() + seconds < this.due) this.set(seconds);
  }

  stop() {
    clearTimeout(this.handle);
    this.due = null;
  }

  #arm() {
    const expire = () => {
      if (now() < this.due) return this.#arm();
      this.due = null;
      this.act();
      return report();
    };
    const waitMs = Math.max(0, this.due - now()) * 1000;
    this.handle = setTimeout(expire, Math.min(waitMs, 2 ** 31 - 1)); // more it cannot count
  }
}

const DEFAULTS = {
  rto_initial_s: 1, rto_maximum_s: 16, keepalive_s: 20, dead_s: 45, pend_s: 180, linger_s: 40,
  drain_s: 6, poll_s: 5, cookie_life_s: 30, retransmissions: 5,
};
const plan = { ...DEFAULTS };

const rto = (copy) =>
  Math.min(plan.rto_initial_s * 2 ** (copy - 1), plan.rto_maximum_s) * random.between(0.9, 1.1);

// 6.1: what this endpoint announces of its timers
function timersTlv() {
  const ms = (name) => Math.round(plan[name] * 1000);
  const made = Buffer.alloc(24);
  made.writeUInt16BE(ms("rto_initial_s"), 0);
  made.writeUInt16BE(ms("rto_maximum_s"), 2);
  ["keepalive_s", "dead_s", "pend_s", "linger_s"].forEach((name, index) => {
    made.writeUInt32BE(ms(name), 4 + 4 * index);
  });
  made.writeUInt16BE(ms("drain_s"), 20);
  made[22] = plan.retransmissions;
  made[23] = Object.keys(DEFAULTS).some((name) => plan[name] !== DEFAULTS[name]) ? 1 : 0;
  return made;
}

const u32 = (value) => {
  const made = Buffer.alloc(4);
  made.writeUInt32BE(value >>> 0);
  return made;
};

// Data -----------------------------------------------------------------------------------------

// What one origin sends to us (11.2 to 11.5).
class Inflow {
  constructor(origin, first) {
    this.origin = origin;
    this.next = first; // RcvNext
    this.known = first; // everything before it is known to have been sent
    this.limit = plus(first, FIRST_WINDOW); // R109
    this.early = new Map(); // messages that others before them are missing for
    this.unread = 0;
    this.fresh = 0; // new messages since the last DATA_ACK
    this.heard = now();
    this.ended = false;
  }

  get misses() {
    return ahead(this.next, this.known) > 0;
  }

  get room() {
    return Math.max(0, BUFFER - this.unread);
  }

  // 11.2: where a message may be that is not repaired.
  near(seq) {
    return ahead(this.known, seq) < AHEAD && ahead(this.known, seq) >= -AHEAD;
  }

  learn(end) {
    if (ahead(this.known, end) > 0) this.known = end;
  }

  // What is missing, however far away a SYNC or a CLOSE says that the end is.
  ranges() {
    const kept = [...this.early.keys()].sort((one, other) => ahead(other, one));
    const missing = [];
    let from = this.next;
    for (const seq of [...kept, this.known]) {
      if (ahead(from, seq) > 0) missing.push([from, plus(seq, -1)]);
      from = plus(seq, 1);
    }
    return missing.slice(0, RANGES);
  }
}

// What we send to the root (11.1, 11.3, 11.4, 11.8).
class Outflow {
  constructor(first, repaired, maxRate) {
    this.acked = first; // everything before it has arrived, as far as we were told
    this.unsent = first;
    this.next = first; // the next that is submitted
    this.limit = plus(first, FIRST_WINDOW);
    this.kept = new Map(); // seq: { payload, attempt }
    this.repaired = repaired;
    this.maxRate = Math.max(maxRate, 1 / plan.rto_initial_s);
    this.rate = maxRate === 0 ? 1 / plan.rto_initial_s : maxRate;
    this.tokens = BURST;
    this.counted = now();
    this.interval = { since: now(), left: 0, asked: 0, bad: 0 };
  }

  get waiting() {
    return ahead(this.unsent, this.next);
  }

  get roomy() {
    const windowed = !this.repaired || ahead(this.next, this.limit) > 0;
    return windowed && this.waiting < BURST;
  }

  // Tell in how many seconds the next message may leave; 0 takes its place.
  pace() {
    const time = now();
    this.#reckon(time);
    const most = this.interval.bad >= 3 ? 1 : BURST;
    this.tokens = Math.min(most, this.tokens + (time - this.counted) * this.rate);
    this.counted = time;
    if (this.tokens < 1) return (1 - this.tokens) / this.rate + 0.001;
    this.tokens -= 1;
    this.interval.left += 1;
    return 0;
  }

  // 11.8: the share of repairs in each interval of RTOinit decides the rate of the next ones.
  #reckon(time) {
    const { since, left, asked, bad } = this.interval;
    const length = time - since;
    if (length < plan.rto_initial_s) return;
    const least = bad >= 3 ? 1 : 8;
    this.interval = { since: time, left: 0, asked: 0, bad };
    if (left < least) return;
    const share = asked / left;
    this.interval.bad = share > 0.2 ? bad + 1 : 0;
    const slowest = 8 / plan.rto_initial_s;
    if (this.interval.bad >= 3) this.rate = 1 / plan.rto_initial_s;
    else if (bad >= 3) this.rate = Math.min(slowest, this.maxRate);
    else if (share > 0.05) {
      this.rate = Math.min(this.maxRate, Math.max(slowest, Math.min(this.rate, left / length) / 2));
    } else this.rate = Math.min(this.maxRate, this.rate * 2);
  }
}

// One attempt to join, and the membership that comes of it -------------------------------------

const OF_REJECT = new Map([
  [6, "WSAEISCONN"], [7, "WSAENOBUFS"], [11, "WSAEOPNOTSUPP"], [12, "WSAEOPNOTSUPP"],
  [14, "WSAEAFNOSUPPORT"], [15, "WSAETIMEDOUT"],
]);
const LIVE = ["JOINED", "CLOSING", "DRAINING"];

class Membership {
  constructor(socket, peer, direction) {
    Object.assign(this, { socket, peer, direction });
    this.ownTag = random.tag();
    this.peerTag = null;
    this.session = NONE;
    this.id = 0;
    this.firstSeq = random.number(); // NextDataSeq
    this.caps = CAPS_REPAIR | (random.bit() ? CAPS_GREASE : 0);
    this.greaseVersion = (Number(random.word() & 0xfn) << 4) | 0x0a;
    this.attempt = 0;
    this.calleeData = null;
    this.closed = false; // the handle is gone: nobody reads, nobody is told
    this.close = null; // our CLOSE: { seq, attempt, copies, acked }
    this.peerFinal = null; // FinalSeq of the other side, once it has said it
    this.theirClose = false;
    this.inflows = new Map();
    this.reports = 0; // DATA_ACK and NACK together
    this.nacks = 0;
    this.syncs = { seq: null, attempt: 0, wait: 0 };
    this.probe = null;
    this.timers = {
      retransmit: new Timer(() => this.#retransmit()),
      limit: new Timer(() => this.#expire()),
      keepalive: new Timer(() => this.#keepalive()),
      acknowledge: new Timer(() => this.#acknowledge()),
      nack: new Timer(() => this.#nack()),
      sync: new Timer(() => this.#sync()),
      pace: new Timer(() => this.#leave()),
    };
  }

  // Begin to ask a root (9.1).
  static asking(socket, peer, [jl, direction], callerData, calleeRoom) {
    const made = new Membership(socket, peer, direction);
    Object.assign(made, { jl, callerData, calleeRoom, state: "ASKING", cookie: null });
    made.transaction = random.number();
    made.control = made.transaction; // Seq of our latest request
    made.challenged = false; // the latest copy answered a CHALLENGE
    made.issued = []; // cookies for an invitation that crosses
    made.timers.limit.set(plan.pend_s);
    made.#ask();
    return made;
  }

  // Accept an invitation that crossed our own request (9.6).
  static crossed(socket, peer, m) {
    const made = new Membership(socket, peer, m.leafDir);
    Object.assign(made, { invitation: m, state: "CROSSED", transaction: m.seq, control: m.seq });
    Object.assign(made, { peerTag: m.initTag, session: m.session, held: [] });
    made.#accept();
    return made;
  }

  get receives() {
    return (this.direction & RECEIVES) !== 0;
  }

  get maySend() {
    return (this.direction & MAY_SEND) !== 0;
  }

  // Sending ------------------------------------------------------------------------------------

  #send(name, { body, tlvs, ...header }) {
    const whole = { session: this.session, tag: this.peerTag, sender: this.id, ...header };
    this.socket.transmit(encode(name, whole, body, tlvs), this.peer);
  }

  #ask() {
    this.attempt += 1;
    const tlvs = {
      TIMERS: timersTlv(),
      CAPS: u32(this.caps),
      VERSIONS: Buffer.from([1, this.greaseVersion]),
      CALLEE_ROOM: this.calleeRoom < 512 ? u32(this.calleeRoom) : null,
      COOKIE: this.cookie,
      CALLER_DATA: this.callerData,
    };
    if (random.bit()) { // 14: a TLV that means nothing, in about every other request
      const type = 0x0a0a | (random.number() % 8 << 12) | (random.number() % 16 << 4);
      tlvs[type] = Buffer.alloc(random.number() % 17, 0x5a);
    }
    this.#send("JOIN_REQ", {
      session: NONE, tag: NONE, seq: this.transaction, attempt: this.attempt, tlvs,
      body: {
        initTag: this.ownTag, role: 2, jl: this.jl, leafDir: this.direction, planes: PLANES,
        nextDataSeq: this.firstSeq, maxPayload: MAX_PAYLOAD,
      },
    });
    if (this.state !== "PENDING") this.timers.retransmit.set(rto(this.attempt));
  }

  #accept() {
    this.attempt += 1;
    this.#send("ACCEPT", {
      flags: FLAG.X, seq: this.transaction, attempt: this.attempt,
      body: {
        respTag: this.ownTag, assignedId: 0, leafDir: this.direction,
        maxPayload: Math.min(MAX_PAYLOAD, this.invitation.maxPayload), nextDataSeq: this.firstSeq,
      },
      tlvs: {
        TIMERS: timersTlv(), CAPS: u32(this.caps), VERSIONS: Buffer.from([1, this.greaseVersion]),
      },
    });
    this.timers.retransmit.set(rto(this.attempt));
  }

  #cancel() {
    this.attempt += 1;
    this.#send("CANCEL", {
      session: NONE, tag: this.peerTag ?? NONE, seq: this.transaction, attempt: this.attempt,
      body: { initTag: this.ownTag, reason: this.withdrawn ? 1 : 2 },
    });
    this.timers.retransmit.set(rto(this.attempt));
  }

  #abort(why, { echo = 0, ...header } = {}) {
    const seq = plus(this.control, 1);
    this.#send("ABORT", { seq, ...header, body: { reason: why, echoSeq: echo } });
  }

  // The join -----------------------------------------------------------------------------------

  #giveUp() {
    const proved = this.cookie !== null;
    this.state = "CANCELLING";
    this.attempt = 0;
    this.timers.limit.stop();
    this.#cancel();
    if (!proved) this.#forget(); // 9.5: one copy if a cookie was never sent
  }

  withdraw() {
    this.withdrawn = true;
    if (this.state === "CROSSED") this.closeWanted = true; // our ACCEPT is out: leave after CONFIRM
    else this.#giveUp();
  }

  #fail(error) {
    this.socket.joined(error);
  }

  #inChallenge(m) {
    if (this.cookie !== null && (m.attempt !== this.attempt || this.challenged)) return;
    if (m.attempt > this.attempt || this.attempt === 255) return;
    if (this.state !== "PENDING" && this.attempt >= plan.retransmissions) return; // R77
    this.cookie = Buffer.from(m.tlvs.COOKIE);
    if (this.state === "ASKING") this.state = "PROVING";
    this.challenged = true;
    this.#ask();
    if (this.state === "PENDING") this.#poll();
  }

  #inPending(m) {
    this.state = "PENDING";
    this.peerTag = m.respTag;
    this.pollS = Math.max(m.pollMs / 1000, plan.poll_s);
    this.#poll();
  }

  #poll() {
    this.timers.retransmit.set(this.pollS * random.between(1, 1.1));
  }

  #inReject(m) {
    this.#forget();
    this.#fail(OF_REJECT.get(m.reason) ?? "WSAECONNREFUSED");
  }

  #inVersionNeg(m) {
    if (this.state !== "ASKING" || m.versions.includes(1)) return; // 14
    this.#forget();
    this.#fail("WSAECONNREFUSED");
  }

  #inAccept(m) {
    const fit = m.leafDir === this.direction && m.assignedId >= 2 && m.session !== NONE &&
      m.desc?.planes === PLANES && !(m.flags & FLAG.X) &&
      (m.tlvs.CALLEE_DATA?.length ?? 0) <= this.calleeRoom;
    if (!fit) {
      this.#tellOff(m, 3);
      this.#forget();
      this.#fail("WSAECONNREFUSED");
      return;
    }
    this.peerTag = m.respTag;
    this.session = m.session;
    this.id = m.assignedId;
    const repaired = (m.tlvs.CAPS.readUInt32BE() & CAPS_REPAIR) !== 0 && m.desc.repair === 1;
    this.#confirm(m);
    this.#become({ ...m, repaired, maxRate: m.desc.maxRate, callee: m.tlvs.CALLEE_DATA });
  }

  #become({ nextDataSeq, maxPayload, repaired, maxRate, callee = Buffer.alloc(0) }) {
    this.calleeData = Buffer.from(callee);
    this.maxPayload = Math.min(MAX_PAYLOAD, maxPayload);
    this.repaired = repaired;
    this.inflows.set(ROOT, new Inflow(ROOT, nextDataSeq));
    this.out = new Outflow(this.firstSeq, repaired, maxRate);
    this.state = "JOINED";
    this.timers.retransmit.stop();
    this.timers.limit.stop();
    this.#heard();
    this.socket.joined(null);
    for (const held of this.held?.splice(0) ?? []) this.#takeMember(held);
    if (this.closeWanted) this.leave();
  }

  #confirm(m) {
    this.#send("CONFIRM", {
      seq: this.transaction, attempt: m.attempt,
      body: { assignedId: 0, nextDataSeq: this.firstSeq, leafDir: this.direction },
    });
  }

  #tellOff(m, why) {
    this.#abort(why, {
      session: m.session, tag: m.respTag, sender: 0, echo: m.seq,
    });
  }

  // Joins that cross (9.6) ---------------------------------------------------------------------

  get asks() {
    return ["ASKING", "PROVING", "PENDING"].includes(this.state);
  }

  // The root invites whom it has been asked by: that prevails, once it has echoed a cookie. What
  // is remembered of a cookie is part of our own request, of which there is one.
  invited(m) {
    const { session, initTag: tag, seq, attempt } = m;
    const answer = { session, tag, seq, attempt, sender: 0 };
    const bound = [m.initTag, m.session, m.seq, m.fixed].join();
    this.issued = this.issued.filter(({ at }) => now() - at < plan.cookie_life_s);
    const echoed = m.tlvs.COOKIE;
    const good = this.issued.some(({ cookie, to }) => to === bound && echoed?.equals(cookie));
    if (!good) {
      const cookie = Buffer.from(random.tag() + random.tag(), "hex");
      this.issued = [...this.issued.slice(-3), { cookie, to: bound, at: now() }];
      const life = Math.round(plan.cookie_life_s * 1000);
      const body = { cookieLifeMs: life };
      this.#send("CHALLENGE", { ...answer, body, tlvs: { COOKIE: cookie } });
      return;
    }
    const mirrored = { 1: 2, 2: 1, 4: 3 }[m.jl] === (m.leafDir & 3);
    const why = m.role !== 1 || m.planes !== PLANES ? 5 : !mirrored || m.leafDir & 4 ? 12 : null;
    if (why !== null || m.maxPayload < 256 || m.session === NONE) {
      this.#send("REJECT", { ...answer, body: { reason: why ?? 7 } });
      return;
    }
    this.state = "FOLDED";
    this.timers.retransmit.stop();
    this.timers.limit.set(plan.linger_s);
    this.socket.crossed(Membership.crossed(this.socket, this.peer, m));
  }

  #takeCrossed(m) {
    if (m.name === "CANCEL" || m.name === "ABORT") {
      if (m.name === "CANCEL") {
        this.#send("CANCEL_ACK", { seq: m.seq, attempt: m.attempt, body: { result: 2 } });
      }
      this.#forget();
      return this.#fail("WSAECONNREFUSED");
    }
    if (m.name === "CONFIRM" && m.seq === this.transaction) return this.#inConfirm(m);
    if (m.name === "DATA" && this.held.length < 64) this.held.push(m); // 11.2
    return undefined; // a CLOSE as well: CONFIRM comes first, and the next copy of the CLOSE after
  }

  #inConfirm(m) {
    const fit = m.leafDir === this.direction && m.assignedId >= 2 && m.session === this.session &&
      m.desc?.planes === PLANES && m.nextDataSeq === this.invitation.nextDataSeq;
    if (!fit) {
      this.#abort(3, { echo: m.seq });
      this.#forget();
      return this.#fail("WSAECONNREFUSED");
    }
    const { maxPayload, tlvs } = this.invitation;
    this.id = m.assignedId;
    const repaired = (tlvs.CAPS.readUInt32BE() & CAPS_REPAIR) !== 0 && m.desc.repair === 1;
    return this.#become({
      nextDataSeq: m.nextDataSeq, maxPayload, repaired, maxRate: m.desc.maxRate,
    });
  }

  // Timers -------------------------------------------------------------------------------------

  #retransmit() {
    const last = this.attempt >= plan.retransmissions;
    switch (this.state) {
      case "ASKING":
      case "PROVING":
        if (last) return this.#expire();
        this.challenged = false;
        return this.#ask();
      case "PENDING":
        if (this.attempt === 255) return this.#poll();
        this.challenged = false;
        this.#ask();
        return this.#poll();
      case "CANCELLING":
        return this.attempt >= CANCELS ? this.#forget() : this.#cancel();
      case "CROSSED":
        if (!last) return this.#accept();
        this.#abort(5);
        this.#forget();
        return this.#fail("WSAETIMEDOUT");
      case "CLOSING":
        if (this.close.copies >= plan.retransmissions || this.close.attempt === 255) {
          this.#abort(6);
          return this.#end("WSAECONNABORTED");
        }
        return this.#sendClose();
      default:
        return this.#probeAgain();
    }
  }

  #expire() {
    if (this.state === "LINGERING" || this.state === "FOLDED") return this.#forget();
    if (this.state === "DRAINING") {
      this.#over(this.repaired ? "WSAECONNABORTED" : null);
      return this.#linger();
    }
    this.#giveUp();
    return this.#fail("WSAETIMEDOUT");
  }

  #heard() {
    if (this.state !== "JOINED") return this.timers.keepalive.stop();
    this.timers.keepalive.set(plan.keepalive_s * random.between(0.8, 1.2));
    if (this.probe === null) return undefined;
    this.probe = null;
    return this.timers.retransmit.stop();
  }

  // Ask at once whether the peer still knows us (9.7).
  verify() {
    if (this.state === "JOINED" && this.probe === null) this.#keepalive();
  }

  #keepalive() {
    this.timers.keepalive.stop();
    this.control = plus(this.control, 1);
    this.probe = { nonce: random.tag(), seq: this.control, attempt: 0 };
    this.#probeAgain();
  }

  #probeAgain() {
    if (this.probe.attempt === PROBES) {
      this.#abort(4);
      return this.#end("WSAECONNABORTED");
    }
    const { nonce, seq } = this.probe;
    this.probe.attempt += 1;
    this.#send("PROBE", {
      seq, attempt: this.probe.attempt, body: { nonce, nextDataSeq: this.out.next },
    });
    return this.timers.retransmit.set(rto(this.probe.attempt));
  }

  // Arrivals -----------------------------------------------------------------------------------

  // Tell whether a message is for this membership.
  owns(m) {
    if (m.name === "ABORT" && m.flags & FLAG.R) return m.tag === this.peerTag;
    if (m.name === "CANCEL" && m.tag === NONE) return m.initTag === this.peerTag;
    return m.tag === this.ownTag;
  }

  take(m) {
    if (LIVE.includes(this.state) || this.state === "LINGERING") return this.#takeMember(m);
    if (this.state === "CROSSED") return this.#takeCrossed(m);
    if (this.state === "FOLDED") return m.name === "ACCEPT" ? this.#tellOff(m, 5) : undefined;
    if (this.state === "CANCELLING") {
      if (m.name === "CANCEL_ACK" && m.seq === this.transaction) this.#forget();
      else if (m.name === "ACCEPT") this.#tellOff(m, 5);
      return undefined;
    }
    if (m.name === "VERSION_NEG") return this.#inVersionNeg(m);
    if (m.seq !== this.transaction) return undefined;
    if (m.name === "CHALLENGE") return this.#inChallenge(m);
    if (m.name === "REJECT") return this.#inReject(m);
    if (this.cookie === null) return undefined; // PENDING and ACCEPT come after the cookie (R35)
    if (m.name === "PENDING") return this.#inPending(m);
    return m.name === "ACCEPT" ? this.#inAccept(m) : undefined;
  }

  #takeMember(m) {
    if (m.session !== this.session) return undefined;
    if (m.name === "PROBE_ACK") {
      if (this.probe?.nonce === m.nonce) this.#heard();
      return undefined;
    }
    if (m.name === "ACCEPT") {
      if (m.respTag !== this.peerTag) return undefined;
      if (!["JOINED", "CLOSING"].includes(this.state)) return undefined;
      this.#heard();
      return this.#confirm(m);
    }
    if (m.name === "ABORT") {
      return this.state === "LINGERING" ? undefined : this.#end("WSAECONNRESET");
    }
    if (m.sender !== ROOT) return undefined;
    this.#heard();
    const live = this.state !== "LINGERING";
    switch (m.name) {
      case "DATA": return live ? this.#inData(m) : undefined;
      case "SYNC": return this.#inSync(m);
      case "NACK": return this.#inNack(m);
      case "DATA_ACK": return this.#inDataAck(m);
      case "PROBE": return live ? this.#inProbe(m) : undefined;
      case "CLOSE": return this.#inClose(m);
      case "CLOSE_ACK": return this.#inCloseAck(m);
      default: return undefined;
    }
  }

  #inProbe(m) {
    const { next } = this.inflows.get(ROOT);
    this.#send("PROBE_ACK", {
      seq: m.seq, attempt: m.attempt, body: { nonce: m.nonce, rcvNext: next, lossPermille: 0 },
    });
  }

  // Receiving ----------------------------------------------------------------------------------

  #inData(m) {
    const flow = this.inflows.get(m.origin);
    if (!flow || !this.receives || !m.tlvs.PAYLOAD) return;
    if ((m.origin === ROOT) === ((m.dflags & 2) !== 0)) return; // RELAYED if it is another's (R83)
    const distance = ahead(flow.next, m.seq);
    if (distance < 0 || flow.early.has(m.seq)) return;
    if (this.repaired ? ahead(m.seq, flow.limit) <= 0 : !flow.near(m.seq)) return;
    if (m.origin === ROOT && this.peerFinal !== null && ahead(this.peerFinal, m.seq) > 0) return;
    const kept = [...this.inflows.values()].reduce((sum, { early }) => sum + early.size, 0);
    if (m.origin !== ROOT && distance > 0 && kept >= KEPT_AHEAD) return;
    const payload = Buffer.from(m.tlvs.PAYLOAD);
    flow.heard = now();
    const known = flow.known;
    flow.learn(plus(m.seq, 1));
    if (!this.repaired) { // best effort: handed up as it comes
      for (let seq = known; ahead(seq, flow.known) > 0; seq = plus(seq, 1)) {
        flow.early.delete(plus(seq, -AHEAD));
      }
      this.#handUp(flow, payload);
      flow.early.set(m.seq, null);
    } else flow.early.set(m.seq, payload);
    const before = flow.next;
    while (flow.early.has(flow.next)) {
      const message = flow.early.get(flow.next);
      flow.early.delete(flow.next);
      flow.next = plus(flow.next, 1);
      if (message !== null) this.#handUp(flow, message);
    }
    this.#arrived(flow, flow.next !== before);
  }

  #handUp(flow, payload) {
    if (this.closed) return;
    flow.unread += 1;
    this.socket.deliver(payload, flow);
  }

  #arrived(flow, progressed) {
    if (this.repaired) {
      flow.fresh += 1;
      if (flow.fresh >= 8) this.#dataAck(flow);
      else this.timers.acknowledge.sooner(plan.rto_initial_s / 20);
      const others = [...this.inflows.values()].some((other) => other !== flow && other.misses);
      if (this.nacks >= NACKS || (progressed && !others)) this.#seekAnew();
      else if (flow.misses && this.timers.nack.due === null) this.#seekAnew();
    }
    if (this.state === "DRAINING") {
      this.timers.limit.set(plan.drain_s);
      this.#drained();
    } else if (this.close !== null && this.close.acked) this.#acknowledge();
  }

  // Begin a series of NACKs, if anything is missing (11.4).
  #seekAnew() {
    this.nacks = 0;
    if (![...this.inflows.values()].some((flow) => flow.misses)) return this.timers.nack.stop();
    return this.timers.nack.sooner(plan.rto_initial_s / 50);
  }

  #nack() {
    const missing = [...this.inflows.values()].filter((flow) => flow.misses);
    if (missing.length === 0) return;
    for (const flow of missing) {
      const ranges = flow.ranges();
      this.reports += 1;
      this.#send("NACK", {
        seq: this.reports,
        body: { origin: flow.origin, count: ranges.length },
        tlvs: { NACK_RANGES: Buffer.concat(ranges.flat().map(u32)) },
      });
    }
    this.nacks += 1;
    if (this.nacks < NACKS) this.timers.nack.set((plan.rto_initial_s / 50) * 2 ** this.nacks);
  }

  #dataAck(flow) {
    flow.fresh = 0;
    const end = plus(flow.next, flow.room);
    if (ahead(flow.limit, end) > 0) flow.limit = end;
    this.reports += 1;
    this.#send("DATA_ACK", {
      seq: this.reports, body: { origin: flow.origin, rcvNext: flow.next, window: flow.room },
    });
  }

  #acknowledge() {
    this.timers.acknowledge.stop();
    if (!LIVE.includes(this.state)) return;
    for (const flow of this.inflows.values()) if (flow.fresh > 0) this.#dataAck(flow);
  }

  // The application has read one message: tell an origin that had run short of room (11.3).
  read(flow) {
    const left = ahead(flow.next, flow.limit);
    flow.unread -= 1;
    if (!this.repaired || !["JOINED", "CLOSING"].includes(this.state)) return;
    if (left < 8 && flow.room >= BUFFER / 2) this.#dataAck(flow);
  }

  #inSync(m) {
    if (!this.repaired || !this.receives) return;
    let flow = this.inflows.get(m.origin);
    if (!flow) {
      if (this.state === "LINGERING" || m.origin === this.id || !this.#makeRoom()) return;
      flow = new Inflow(m.origin, m.trailSeq); // 11.5
      this.inflows.set(m.origin, flow);
    }
    if (this.state !== "LINGERING") {
      if (ahead(flow.next, m.trailSeq) > 0) { // lost for good
        this.#abort(9, { echo: m.seq });
        this.#end("WSAECONNABORTED");
        return;
      }
      flow.learn(m.seq);
    }
    flow.heard = now();
    this.#dataAck(flow);
    if (flow.misses) this.#seekAnew();
    if (m.sflags & 1 && m.origin !== ROOT && !flow.misses && !flow.ended) {
      flow.ended = true;
      setTimeout(() => this.inflows.delete(m.origin), plan.linger_s * 1000).unref();
    }
  }

  // 11.5: forget the origin that has been silent for the longest time, if there are too many.
  #makeRoom() {
    if (this.inflows.size <= ORIGINS) return true;
    const order = (flow) => (flow.ended ? 0 : flow.heard + 1);
    const idle = [...this.inflows.values()]
      .filter((flow) => flow.origin !== ROOT && !flow.misses)
      .sort((one, other) => order(one) - order(other));
    return idle.length > 0 && this.inflows.delete(idle[0].origin);
  }

  // Sending data -------------------------------------------------------------------------------

  submit(payload) {
    this.out.kept.set(this.out.next, { payload, attempt: 0 });
    this.out.next = plus(this.out.next, 1);
    this.#leave();
  }

  #leave() {
    const { out } = this;
    while (out.waiting > 0) {
      const waitS = out.pace();
      if (waitS > 0) {
        this.timers.pace.set(waitS);
        break;
      }
      this.#sendData(out.unsent, 0);
      if (!out.repaired) out.kept.delete(out.unsent);
      out.unsent = plus(out.unsent, 1);
      this.syncs.wait = plan.rto_initial_s / 4;
      if (out.repaired) this.timers.sync.set(this.syncs.wait);
    }
    this.socket.roomMade();
    if (out.waiting === 0 && this.closeWanted && this.close === null) this.#beginClose();
  }

  #sendData(seq, dflags) {
    const kept = this.out.kept.get(seq);
    kept.attempt += 1;
    this.#send("DATA", {
      seq, attempt: kept.attempt, body: { origin: this.id, dflags, hop: 0 },
      tlvs: { PAYLOAD: kept.payload },
    });
  }

  #sync() {
    const { out } = this;
    const full = !out.roomy && this.state === "JOINED";
    if (ahead(out.acked, out.unsent) === 0 && !full) return;
    this.#sendSync();
    this.syncs.wait = Math.min(this.syncs.wait * 2, plan.keepalive_s);
    this.timers.sync.set(this.syncs.wait);
  }

  #sendSync() {
    const { unsent, acked } = this.out;
    if (this.syncs.seq !== unsent) Object.assign(this.syncs, { seq: unsent, attempt: 0 });
    this.syncs.attempt = Math.min(255, this.syncs.attempt + 1);
    this.#send("SYNC", {
      seq: unsent, attempt: this.syncs.attempt,
      body: { origin: this.id, trailSeq: acked, sflags: 0 },
    });
  }

  #inDataAck(m) {
    if (!this.repaired || m.origin !== this.id) return;
    const { out } = this;
    if (ahead(m.rcvNext, out.unsent) < 0) return; // it speaks of what was never sent
    const limit = plus(m.rcvNext, m.window);
    if (ahead(out.limit, limit) > 0) out.limit = limit;
    this.#acknowledged(m.rcvNext);
    this.socket.roomMade();
  }

  #acknowledged(rcvNext) {
    const { out } = this;
    if (ahead(out.acked, rcvNext) <= 0) return;
    for (; out.acked !== rcvNext; out.acked = plus(out.acked, 1)) out.kept.delete(out.acked);
    if (this.close !== null) this.close.copies = 0; // 12.1: patient with a peer that gets on
    if (this.state === "LINGERING") this.timers.limit.set(plan.linger_s);
    this.timers.sync.stop();
    if (ahead(out.acked, out.unsent) === 0 && out.roomy) return;
    this.syncs.wait = plan.rto_initial_s / 4;
    this.timers.sync.set(this.syncs.wait);
  }

  #inNack(m) {
    if (!this.repaired || m.origin !== this.id) return;
    const { out } = this;
    const named = (seq) =>
      m.ranges.some(([first, last]) => ahead(first, seq) >= 0 && ahead(seq, last) >= 0);
    const wanted = [...out.kept]
      .filter(([seq, { attempt }]) => ahead(seq, out.unsent) > 0 && attempt < 255 && named(seq))
      .slice(0, REPAIRS_AT_ONCE)
      .map(([seq]) => seq);
    for (const seq of wanted) this.#sendData(seq, 1);
    out.interval.asked += wanted.length;
    const closing = this.close !== null || this.theirClose;
    if (wanted.length === 0 && !closing) this.#sendSync();
  }

  // The end ------------------------------------------------------------------------------------

  // Leave gracefully, when everything submitted has left (11.8, 12.1).
  leave() {
    this.closeWanted = true;
    if (this.close !== null || this.state !== "JOINED") return;
    if (this.out.waiting === 0) this.#beginClose();
  }

  reset() {
    this.#abort(2);
    this.#forget();
  }

  #beginClose() {
    this.state = "CLOSING";
    this.timers.keepalive.stop();
    this.probe = null;
    this.control = plus(this.control, 1);
    this.close = { seq: this.control, attempt: 0, copies: 0, acked: false };
    this.#sendClose();
  }

  #sendClose() {
    this.close.attempt += 1;
    this.close.copies += 1;
    this.#send("CLOSE", {
      seq: this.close.seq, attempt: this.close.attempt,
      body: { reason: 1, cflags: 0, finalSeq: plus(this.out.next, -1), sideFinalSeq: 0 },
    });
    this.timers.retransmit.set(rto(this.close.attempt));
  }

  #inClose(m) {
    const flow = this.inflows.get(ROOT);
    const end = plus(m.finalSeq, 1);
    const complete = !this.receives || ahead(end, flow.next) >= 0;
    this.#send("CLOSE_ACK", {
      seq: m.seq, attempt: m.attempt,
      body: {
        ackFlags: complete ? 0 : 1,
        rcvNext: complete ? end : flow.next,
        finalSeq: plus(this.out.next, -1),
      },
    });
    if (this.state === "LINGERING") return;
    this.peerFinal = m.finalSeq;
    this.theirClose = true;
    this.#partsEnd();
  }

  #inCloseAck(m) {
    if (this.close === null || m.seq !== this.close.seq || m.attempt > this.close.attempt) return;
    if (ahead(m.rcvNext, this.out.unsent) >= 0) this.#acknowledged(m.rcvNext);
    if (m.ackFlags & 1 && this.repaired) return; // it is repeated until nothing is missing
    if (this.state !== "CLOSING") return;
    this.peerFinal = m.finalSeq;
    this.#partsEnd();
  }

  // Both sides know of the end: wait for what is missing, then linger.
  #partsEnd() {
    const flow = this.inflows.get(ROOT);
    if (this.receives) flow.learn(plus(this.peerFinal, 1));
    this.timers.retransmit.stop();
    this.timers.keepalive.stop();
    this.probe = null;
    if (this.close !== null) this.close.acked = true;
    this.state = "DRAINING";
    this.timers.limit.set(plan.drain_s);
    if (this.repaired) this.#seekAnew();
    this.#drained();
  }

  #drained() {
    const flow = this.inflows.get(ROOT);
    if (this.receives && ahead(flow.next, plus(this.peerFinal, 1)) > 0) return;
    this.#acknowledge();
    this.#over(null);
    this.#linger();
  }

  #linger() {
    this.state = "LINGERING";
    this.timers.nack.stop();
    this.timers.acknowledge.stop();
    this.timers.limit.set(plan.linger_s);
  }

  #over(error) {
    this.socket.ended(this, error);
  }

  // End at once: nothing is sent any more and nothing answered.
  #end(error) {
    this.#forget();
    this.#over(error);
  }

  interfaceLost() {
    if (LIVE.includes(this.state)) {
      this.#abort(2); // which is tried once
      this.#end("WSAENETDOWN");
    } else if (this.asks || this.state === "CROSSED") {
      this.#forget();
      this.#fail("WSAENETUNREACH");
    }
  }

  #forget() {
    this.state = "GONE";
    for (const timer of Object.values(this.timers)) timer.stop();
    this.socket.forget(this);
  }
}

// Sockets --------------------------------------------------------------------------------------

const EVENTS = ["FD_CONNECT", "FD_READ", "FD_WRITE", "FD_CLOSE"]; // in the order of their bits
const NEVER = [
  "FD_ACCEPT", "FD_OOB", "FD_QOS", "FD_GROUP_QOS", "FD_ROUTING_INTERFACE_CHANGE",
  "FD_ADDRESS_LIST_CHANGE",
]; // on a leaf that asks

class Failure extends Error {}
class Unsupported extends Error {}
class Invalid extends Error {}
const fail = (name) => {
  throw new Failure(name);
};

class Socket {
  constructor(descriptor, family) {
    this.descriptor = descriptor;
    this.family = family;
    this.blocking = true;
    this.blocked = []; // calls that wait: { id, again }
    this.selected = new Set();
    this.reported = false;
    this.record = new Map(); // event: { code, told }
    this.bound = false;
    this.member = null; // what the application is, or wants to be, a member of
    this.joining = false;
    this.failed = null;
    this.live = new Set(); // attempts and memberships that packets may still belong to
    this.queue = []; // { payload, flow, member }
    this.end = null; // how the membership ended: { error }
    this.shut = { SEND: false, RECEIVE: false };
    this.linger = null;
    this.full = false; // a send has failed for want of room
    this.closed = false;
    this.released = false;
    this.lost = false; // the interface of our address
    all.add(this);
    this.answered = new Map(); // strangers, for the limit of R104
    const type = family === "inet6" ? "udp6" : "udp4";
    const lookup = (host, _options, done) => done(null, host, family === "inet6" ? 6 : 4);
    this.udp = dgram.createSocket({ type, ipv6Only: family === "inet6", lookup });
    this.udp.on("message", (datagram, from) => this.#arrive(datagram, from));
    this.udp.on("error", () => {}); // what a send cannot reach is found out by its timers
  }

  bind(host, port) {
    if (this.bound) fail("WSAEINVAL");
    return new Promise((done, failed) => {
      const refused = (error) => {
        const known = { EADDRINUSE: "WSAEADDRINUSE", EADDRNOTAVAIL: "WSAEADDRNOTAVAIL" };
        failed(new Failure(known[error.code] ?? "WSAEFAULT"));
      };
      this.udp.once("error", refused);
      this.udp.bind({ address: host, port, exclusive: true }, () => {
        this.udp.off("error", refused);
        this.bound = true;
        done({});
      });
    });
  }

  get name() {
    if (!this.bound) fail("WSAEINVAL");
    const { address, port } = this.udp.address();
    return [address, port];
  }

  // The wire -----------------------------------------------------------------------------------

  transmit(datagram, { host, port }) {
    this.udp.send(datagram, port, host, (error) => {
      if (!["ENETUNREACH", "ENETDOWN", "EADDRNOTAVAIL"].includes(error?.code)) return;
      lookAround();
      report();
    });
  }

  #arrive(datagram, { address, port }) {
    arrivals += 1;
    const m = decode(datagram);
    if (m === null || port === 0 || m.flags & FLAG.M) return;
    const from = { host: address, port };
    const owner = [...this.live].find((one) =>
      one.peer.host === address && one.peer.port === port && one.owns(m));
    if (owner) owner.take(m);
    else this.#stranger(m, from);
    report();
  }

  // 13: what belongs to nothing here earns at most one answer, and few of them (R104).
  #stranger(m, from) {
    if (m.name !== "FOREIGN" && m.name !== "JOIN_REQ" && this.#limited(from.host)) return;
    const say = (name, header, body) => this.transmit(encode(name, header, body), from);
    const echo = { session: m.session, seq: m.seq, attempt: m.attempt };
    switch (m.name) {
      case "FOREIGN": {
        const head = encode("VERSION_NEG", { ...echo, tag: m.initTag, seq: 0, attempt: 1 },
          { count: 1 });
        const whole = Buffer.concat([head, Buffer.from([1, 0, 0, 0])]);
        whole.writeUInt16BE(whole.length, 6);
        this.transmit(whole, from);
        break;
      }
      case "JOIN_REQ": {
        const there = [...this.live].filter((one) =>
          one.peer.host === from.host && one.peer.port === from.port);
        if (there.some((one) => one.invitation?.initTag === m.initTag)) break; // a copy (9.4)
        const asking = there.find((one) => one.asks);
        if (asking && m.role === 1) return asking.invited(m);
        say("REJECT", { ...echo, tag: m.initTag }, { reason: 3 });
        there.forEach((one) => one.verify()); // 9.7: is the old membership still known there?
        break;
      }
      case "CLOSE": case "CONFIRM": case "PROBE": case "MEMBER": case "SIDE": case "DATA":
        say("ABORT", { ...echo, tag: m.tag, flags: FLAG.R }, { reason: 1, echoSeq: m.seq });
        break;
      case "ACCEPT":
        say("ABORT", { ...echo, attempt: 1, tag: m.respTag }, { reason: 1, echoSeq: m.seq });
        break;
      case "CANCEL":
        say("CANCEL_ACK", { ...echo, tag: m.initTag }, { result: 1 });
        break;
      default: // silence
    }
    return undefined;
  }

  #limited(host) {
    const time = now();
    const bucket = this.answered.get(host) ?? { tokens: 4, time };
    this.answered.delete(host); // the one that was silent for the longest time stands first
    if (this.answered.size >= 4096) this.answered.delete(this.answered.keys().next().value);
    bucket.tokens = Math.min(4, bucket.tokens + time - bucket.time);
    bucket.time = time;
    this.answered.set(host, bucket);
    if (bucket.tokens < 1) return true;
    bucket.tokens -= 1;
    return false;
  }

  // What memberships tell ------------------------------------------------------------------------

  joined(error) {
    if (!this.joining || this.closed) return;
    this.joining = false;
    this.failed = error;
    if (error) this.member = null;
    this.note("FD_CONNECT", error);
    this.roomMade(true);
  }

  // An invitation has taken the place of our own request.
  crossed(member) {
    this.member = member;
    this.live.add(member);
  }

  deliver(payload, flow) {
    if (this.shut.RECEIVE) return void this.member.read(flow);
    this.queue.push({ payload, flow, member: this.member });
    return this.note("FD_READ", null);
  }

  roomMade(first = false) {
    const { member } = this;
    if (this.joining || this.end !== null || this.shut.SEND || !member?.maySend) return;
    if (member.theirClose || !(first || this.full) || !member.out.roomy) return;
    this.full = false;
    this.note("FD_WRITE", null);
  }

  ended(member, error) {
    if (this.closed || member !== this.member || this.end !== null) return;
    this.end = { error };
    this.#endSeen();
  }

  #endSeen() {
    if (this.end === null || (this.end.error === null && this.queue.length > 0)) return;
    if (!this.record.has("FD_CLOSE")) this.note("FD_CLOSE", this.end.error);
  }

  forget(member) {
    this.live.delete(member);
    this.#release();
  }

  // Give the port back, when nobody can need it any more.
  #release() {
    if (!this.closed || this.live.size > 0 || this.released) return;
    this.released = true;
    all.delete(this);
    this.udp.close();
  }

  // Learn which addresses this host has: the one that a membership lives on may be gone.
  look(addresses) {
    if (!this.bound || this.released) return;
    const [own] = this.name;
    this.lost = own !== "0.0.0.0" && own !== "::" && !addresses.has(own);
    if (this.lost) for (const member of [...this.live]) member.interfaceLost();
  }

  // The record of events -------------------------------------------------------------------------

  note(event, error) {
    if (this.closed || this.record.has(event)) return;
    this.record.set(event, { code: error ? WSA[error] : 0, told: false });
  }

  enumerate() {
    const told = [];
    for (const event of EVENTS) {
      const entry = this.record.get(event);
      if (!entry || entry.told || !this.selected.has(event)) continue;
      entry.told = true;
      told.push({ event, code: entry.code });
    }
    return told;
  }

  #enable(event) {
    if (this.record.get(event)?.told) this.record.delete(event);
  }

  // Calls --------------------------------------------------------------------------------------

  select(events, reported) {
    this.blocking = false;
    this.selected = new Set(events);
    this.reported = reported;
  }

  async join({ address, flags = "BOTH", caller_data: data = null, callee_capacity: room = 512 }) {
    if (this.joining) fail("WSAEALREADY");
    if (this.member !== null) fail("WSAEISCONN");
    if (this.lost) fail("WSAENETDOWN");
    const [host, port] = address;
    if (host.includes(":") !== (this.family === "inet6")) fail("WSAEAFNOSUPPORT");
    if (port === 0 || /^(0\.0\.0\.0|::)$/.test(host)) fail("WSAEADDRNOTAVAIL");
    if (data !== null && data.length > 512) fail("WSAEFAULT");
    if (!this.bound) await this.bind(this.family === "inet6" ? "::" : "0.0.0.0", 0);
    this.joining = true;
    this.record.delete("FD_CONNECT");
    const whom = { host, port };
    const said = data !== null && data.length > 0 ? data : null;
    this.member = Membership.asking(this, whom, DIRECTIONS[flags], said, room);
    this.live.add(this.member);
  }

  joinOutcome() {
    if (this.joining) fail("WSAEWOULDBLOCK");
    if (this.failed) fail(this.failed);
    const { calleeData } = this.member;
    return { socket: this.descriptor, callee_data: calleeData.toString("hex") };
  }

  #connected() {
    if (this.member === null || this.joining) fail("WSAENOTCONN");
    return this.member;
  }

  send(payload) {
    const member = this.#connected();
    if (!member.maySend) fail("WSAEOPNOTSUPP");
    if (this.shut.SEND) fail("WSAESHUTDOWN");
    this.#enable("FD_WRITE");
    if (this.end?.error) fail(this.end.error);
    if (this.end !== null || member.theirClose) fail("WSAENOTCONN");
    if (payload.length > member.maxPayload) fail("WSAEMSGSIZE");
    if (!member.out.roomy) {
      this.full = true;
      fail("WSAEWOULDBLOCK");
    }
    member.submit(payload);
    return { octets: payload.length };
  }

  recv() {
    const member = this.#connected();
    if (!member.receives) fail("WSAEOPNOTSUPP");
    if (this.shut.RECEIVE) fail("WSAESHUTDOWN");
    this.#enable("FD_READ");
    if (this.queue.length === 0) {
      if (this.end === null) fail("WSAEWOULDBLOCK");
      fail(this.end.error ?? "WSAEDISCON");
    }
    const { payload, flow } = this.queue.shift();
    member.read(flow);
    if (this.queue.length > 0) this.note("FD_READ", null);
    this.#endSeen();
    return { data: payload.toString("hex") };
  }

  shutdown(how) {
    const member = this.#connected();
    const sends = how !== "RECEIVE";
    if (how !== "BOTH" && !(sends ? member.maySend : member.receives)) fail("WSAEINVAL");
    if (how !== "SEND") {
      this.shut.RECEIVE = true;
      for (const { flow } of this.queue.splice(0)) member.read(flow);
      this.#endSeen();
    }
    if (sends && !this.shut.SEND) {
      this.shut.SEND = true;
      member.leave();
    }
  }

  close() {
    this.closed = true;
    for (const member of [...this.live]) {
      if (member !== this.member) continue;
      member.closed = true;
      for (const { flow } of this.queue.splice(0)) member.read(flow);
      if (this.joining) member.withdraw();
      else if (this.linger === 0 && ["JOINED", "CLOSING"].includes(member.state)) member.reset();
      else member.leave();
    }
    this.#release();
  }
}

// The agent ------------------------------------------------------------------------------------

const sockets = new Map(); // by descriptor
const all = new Set(); // those too that are closed and still answer
let lastDescriptor = 0;
let eventCount = 0;
let arrivals = 0; // datagrams, for the barrier

const say = (line) => process.stdout.write(`${JSON.stringify(line)}\n`);

// Node tells nobody when an address goes, so it is looked for, now and then and at every barrier.
const LOOK_MS = 200;
function lookAround() {
  if (all.size === 0) return;
  const found = Object.values(os.networkInterfaces()).flat();
  const addresses = new Set(found.map(({ address }) => address));
  for (const socket of [...all]) socket.look(addresses);
}
setInterval(() => {
  lookAround();
  report();
}, LOOK_MS).unref();

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

function described(error) {
  if (error instanceof Failure) return { error: { code: WSA[error.message], name: error.message } };
  if (error instanceof Unsupported) return { unsupported: error.message };
  if (error instanceof Invalid) return { invalid: error.message };
  throw error;
}

// What an argument has to be; a name that is not here is an argument that is not supported.
const isNumber = (value) => Number.isInteger(value);
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
const CALLS = {
  configure: {
    takes: {
      seed: [orNull(isNumber), null], timers: [isTimers, {}], side_chat: [isBoolean, false],
    },
    does({ seed, timers, side_chat: sideChat }) {
      if (lastDescriptor > 0) throw new Invalid("configure: a socket has been made already");
      if (sideChat) throw new Unsupported("configure: side_chat");
      if (seed === null) random.state = null;
      else random.seed(seed);
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
      return { socket: socket.descriptor };
    },
    waits: ({ socket }) => socket.joinOutcome(),
  },
  callee_data: {
    takes: ON_SOCKET,
    does({ socket }) {
      const data = socket.joining ? null : socket.member?.calleeData;
      if (!data) throw new Failure("WSAENOTCONN");
      return { callee_data: data.toString("hex") };
    },
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
      const turn = () => {
        if (arrivals === before) return done({});
        before = arrivals;
        return setImmediate(turn);
      };
      setImmediate(turn);
    }),
  },
  exit: {
    takes: {},
    does: () => ({}),
  },
};

function argumentsOf(name, given) {
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

function parse(line) {
  let call;
  try {
    call = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(line));
  } catch (error) {
    throw new Invalid(String(error.message));
  }
  const isObject = (value) => value !== null && typeof value === "object" && !Array.isArray(value);
  if (!isObject(call) || !isNumber(call.id) || typeof call.call !== "string") {
    throw new Invalid("expected an object with an id and a call");
  }
  if (Object.keys(call).some((key) => !["id", "call", "args"].includes(key))) {
    throw new Invalid("expected id, call and args only");
  }
  if (!isObject(call.args ?? {})) throw new Invalid("expected args to be an object");
  return call;
}

async function serve(line) {
  let id = null;
  let answer;
  try {
    const { id: number, call: name, args = {} } = parse(line);
    id = number;
    if (!Object.hasOwn(CALLS, name)) throw new Unsupported(name);
    const call = CALLS[name];
    const made = argumentsOf(name, args);
    try {
      answer = { result: await call.does(made) };
      if (name === "join_leaf" && made.socket.blocking) throw new Failure("WSAEWOULDBLOCK");
    } catch (error) {
      if (!(call.waits && made.socket.blocking && error.message === "WSAEWOULDBLOCK")) throw error;
      made.socket.blocked.push({ id, again: () => call.waits(made) });
      return report();
    }
    say({ id, ...answer });
    if (name === "exit") process.exit(0);
  } catch (error) {
    say({ id, ...described(error) });
  }
  return report();
}

say({ hello: { contract: 1, name: "mpwire-leaf-js", version: "1", calls: Object.keys(CALLS) } });

let rest = Buffer.alloc(0);
let served = Promise.resolve();
process.stdin.on("data", (chunk) => {
  rest = Buffer.concat([rest, chunk]);
  for (let end = rest.indexOf(0x0a); end >= 0; end = rest.indexOf(0x0a)) {
    const line = rest.subarray(0, end);
    rest = rest.subarray(end + 1);
    if (line.toString("latin1").trim() !== "") served = served.then(() => serve(line));
  }
  if (rest.length > 1 << 20) process.exit(0); // no line of the contract is that long
});
process.stdin.on("end", () => served.then(() => process.exit(0)));
