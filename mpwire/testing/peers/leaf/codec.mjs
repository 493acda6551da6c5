// Octets to messages and back; only what is canonical is a message.
// Written from docs/protocol.md 4 (header), 6.1 (values of TLVs) and 8 (what is malformed).

import { isUtf8 } from "node:buffer";

import { random } from "./chance.mjs";
import { MESSAGES, TLVS } from "./messages.mjs";
import { FLAG, HEADER, HIGHEST_MEMBER, JOIN_REQ_LEAST, LARGEST, NONE, ahead } from "./numbers.mjs";

const MAGIC = 0x6d70;
const TYPE_OF = new Map([...MESSAGES].map(([code, { name }]) => [name, code]));
const TLV_OF = new Map([...TLVS].map(([code, [name]]) => [name, code]));
const rank = (type) => ({ 0x0001: 0x10000, 0x8010: 0x10001 })[type] ?? type; // R9, R14
const UNBOUND = [0x0001, 0x8002, 0x8010]; // 9.2: PAD, COOKIE, AUTH

// Build a datagram; values of TLVs are octets, and PAD is not among them.
export function encode(name, header, body = {}, tlvs = {}) {
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

// 14: which versions are spoken here.
export function encodeVersions(tag, session) {
  const made = Buffer.concat([
    encode("VERSION_NEG", { tag, session }, { count: 1 }), Buffer.from([1, 0, 0, 0]),
  ]);
  made.writeUInt16BE(made.length, 6);
  return made;
}

function tlv(type, value) {
  const made = Buffer.alloc(4 + Math.ceil(value.length / 4) * 4);
  made.writeUInt16BE(type, 0);
  made.writeUInt16BE(value.length, 2);
  value.copy(made, 4);
  return made;
}

// Read a datagram; null is what breaks a rule that one datagram alone decides (8).
export function decode(datagram) {
  if (datagram.length < HEADER || datagram.readUInt16BE(0) !== MAGIC) return null;
  if (datagram.readUInt16BE(6) !== datagram.length) return null;
  const known = MESSAGES.get(datagram[3]);
  const m = {
    version: datagram[2],
    type: datagram[3],
    name: known?.name,
    flags: datagram[4],
    attempt: datagram[5],
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
  if (m.flags & 0x0e || m.sender > HIGHEST_MEMBER) return null;
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
  if (!noneSet(datagram.subarray(end))) return null;
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
    if (!noneSet(datagram.subarray(at + 4 + length, end))) return false;
    if (!UNBOUND.includes(type) && (type & 0x0f0f) !== 0x0a0a) {
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

// What is legal in a message as a whole.
function fits(known, m) {
  const { tlvs } = m;
  if (known.must.some((name) => !(name in tlvs))) return false;
  if (["DATA", "SIDE"].includes(m.name) && "PAYLOAD" in tlvs === "SEALED" in tlvs) return false;
  if ("AUTH" in tlvs !== ((m.flags & FLAG.A) !== 0)) return false;
  return Object.entries(tlvs).every(([name, value]) => VALUES[name]?.(value, m) ?? true);
}

const noneSet = (octets) => octets.every((octet) => octet === 0);

// 6.1: whether a value is legal; some are put into the message as well.
const VALUES = {
  PAD: noneSet,
  TIMERS: (value) => (value[23] & ~1) === 0,
  AUTH: (value) => value[3] === 0,
  ADDR: (value) => value[1] === 0 && { 4: 8, 6: 20 }[value[0]] === value.length,
  REASON_TEXT: (value) => isUtf8(value),
  SESSION_DESC(value, m) {
    m.desc = {
      planes: value[0],
      groupTag: value.toString("hex", 4, 12),
      maxRate: value.readUInt32BE(12),
      repair: value[19],
    };
    const whole = { 0: 20, 4: 24, 6: 36 }[value[1]] === value.length;
    return whole && (value[0] & 0xf0) === 0 && value[19] <= 1 && m.desc.groupTag !== NONE;
  },
  NACK_RANGES(value, m) {
    m.ranges = [];
    for (let at = 0; at < value.length; at += 8) {
      m.ranges.push([value.readUInt32BE(at), value.readUInt32BE(at + 4)]);
    }
    const from = m.ranges[0][0];
    let least = 0; // all within half the sequence space, counted from the first
    return m.ranges.length === m.count && m.ranges.every(([first, last]) => {
      const inOrder = ahead(from, first) >= least && ahead(first, last) >= 0;
      least = ahead(from, last) + 1;
      return inOrder && least > 0;
    });
  },
};
