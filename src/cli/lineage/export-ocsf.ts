/**
 * Entries as OCSF events (schema.ocsf.io, 1.6.0): decisions as HTTP Activity (4002) with the security control profile,
 * what operators and authorities do as API Activity (6003), all else as Base Event (0).
 */
import { denials } from '../../denial/table.ts';
import { isJsonObject } from '../../crypto/json.ts';
import type { Json } from '../../crypto/json.ts';
import { questionOf } from '../../policy/redecide.ts';
import type { Document, Exported } from './export.ts';
import { callOf, memberOf, textOf, whatOf } from '../statement-fields.ts';
import { version } from '../version.ts';

/** The schema that these events follow. */
export const OCSF_VERSION = '1.6.0';

const OTHER = 99;
/** `activity_id` of HTTP Activity. */
const METHODS: Readonly<Record<string, number>> = {
  CONNECT: 1,
  DELETE: 2,
  GET: 3,
  HEAD: 4,
  OPTIONS: 5,
  POST: 6,
  PUT: 7,
  TRACE: 8,
  PATCH: 9,
};
const [CREATE, UPDATE, DELETE] = [1, 3, 4];
/** `activity_id` and operation of API Activity, by kind of entry. */
const OPERATIONS: Readonly<Record<string, readonly [number, string]>> = {
  grant: [CREATE, 'grant.issue'],
  revocation: [DELETE, 'grant.revoke'],
  policy: [UPDATE, 'policy.activate'],
  settings: [UPDATE, 'settings.apply'],
  approval: [UPDATE, 'approval.answer'],
};
const [INFORMATIONAL, MEDIUM] = [1, 3];
const FORBIDDEN = 403;

/** The event of an entry. An outcome has none of its own: it is part of its permit's. */
export function ocsfEvent(exported: Exported): Document | undefined {
  const kind =
    /^urn:writ:(.+):v\d+$/.exec(textOf(memberOf(exported.statement, 'predicateType')) ?? '')?.[1] ?? '';
  if (kind === 'outcome') return undefined;
  if (kind === 'decision') return httpActivity(exported);
  const operation = OPERATIONS[kind];
  return operation ? apiActivity(exported, operation) : baseEvent(exported, kind);
}

function httpActivity(exported: Exported): Document {
  const predicate = memberOf(exported.statement, 'predicate');
  const call = memberOf(predicate, 'call');
  const method = textOf(memberOf(call, 'method')) ?? '';
  const denied = memberOf(predicate, 'verdict') !== 'permit';
  const ended = memberOf(exported.outcome, 'predicate');
  return {
    ...common(exported, {
      category: 4,
      uid: 4002,
      activity: METHODS[method] ?? OTHER,
      profiles: ['security_control'],
    }),
    severity_id: denied ? MEDIUM : INFORMATIONAL,
    ...(METHODS[method] === undefined && { activity_name: method }),
    action_id: denied ? 2 : 1,
    disposition_id: denied ? 2 : 1,
    ...statusOf(predicate, ended),
    ...actorOf(predicate),
    src_endpoint: { instance_uid: originOf(predicate) },
    ...destinationOf(call),
    http_request: requestOf(exported.statement, call),
    ...responseOf(denied, ended),
    ...trafficOf(ended),
    ...authorizationsOf(exported),
    unmapped: {
      reasons: memberOf(predicate, 'reasons'),
      grants: grantsOf(predicate),
      ended: memberOf(ended, 'ended'),
    },
  };
}

function apiActivity(exported: Exported, [activity, operation]: readonly [number, string]): Document {
  const predicate = memberOf(exported.statement, 'predicate');
  const issuer = textOf(memberOf(predicate, 'iss'));
  return {
    ...common(exported, { category: 6, uid: 6003, activity }),
    severity_id: INFORMATIONAL,
    actor: issuer === undefined ? { app_name: 'writ' } : { user: { uid: issuer } },
    api: { operation },
    src_endpoint: { instance_uid: originOf(predicate) },
    unmapped: { predicate },
  };
}

function baseEvent(exported: Exported, kind: string): Document {
  const predicate = memberOf(exported.statement, 'predicate');
  return {
    ...common(exported, { category: 0, uid: 0, activity: OTHER }),
    activity_name: kind,
    severity_id: kind === 'gap' ? MEDIUM : INFORMATIONAL,
    unmapped: { predicate },
  };
}

interface Class {
  readonly category: number;
  readonly uid: number;
  readonly activity: number;
  readonly profiles?: readonly string[];
}

function common({ seq, statement }: Exported, { category, uid, activity, profiles }: Class): Document {
  const predicate = memberOf(statement, 'predicate');
  const code = textOf(memberOf(predicate, 'code'));
  return {
    activity_id: activity,
    category_uid: category,
    class_uid: uid,
    type_uid: uid * 100 + activity,
    time: Date.parse(textOf(memberOf(memberOf(predicate, 'entry'), 'at')) ?? '') || 0,
    message: [whatOf(statement), callOf(predicate)].filter(Boolean).join(' '),
    metadata: {
      version: OCSF_VERSION,
      product: { name: 'Writ', vendor_name: 'Writ', version: version() },
      uid: idOf(statement),
      log_name: originOf(predicate),
      sequence: seq,
      ...(code !== undefined && { event_code: code }),
      ...(profiles && { profiles }),
    },
  };
}

/** A permit without an outcome is unknown, never a success. */
function statusOf(predicate: Json | undefined, ended: Json | undefined): Document {
  const code = textOf(memberOf(predicate, 'code'));
  const end = textOf(memberOf(ended, 'ended'));
  const title = Object.entries(denials).find(([name]) => name === code)?.[1].title;
  if (code !== undefined) return { status_id: 2, status_code: code, ...(title && { status_detail: title }) };
  if (end === undefined) return { status_id: 0 };
  return { status_id: end === 'complete' ? 1 : 2, status_code: textOf(memberOf(ended, 'by')) ?? end };
}

function actorOf(predicate: Json | undefined): Document {
  const agent = textOf(memberOf(memberOf(predicate, 'grant'), 'sub'));
  return agent === undefined ? {} : { actor: { user: { uid: agent } } };
}

function destinationOf(call: Json | undefined): Document {
  const url = URL.parse(textOf(memberOf(call, 'origin')) ?? '');
  if (!url) return {};
  const isAddress = /^\[|^[\d.]+$/.test(url.hostname);
  const name = isAddress ? { ip: url.hostname.replace(/^\[|\]$/g, '') } : { hostname: url.hostname };
  return { dst_endpoint: { ...name, port: portOf(url) } };
}

function requestOf(statement: Json, call: Json | undefined): Document {
  const origin = textOf(memberOf(call, 'origin'));
  const method = textOf(memberOf(call, 'method')) ?? '';
  const path = textOf(memberOf(call, 'path')) ?? '';
  const url = URL.parse(origin ?? '');
  const spelled = origin !== undefined && path.startsWith('/') ? { url_string: `${origin}${path}` } : {};
  return {
    uid: idOf(statement),
    ...(METHODS[method] !== undefined && { http_method: method }),
    ...(url && {
      url: { scheme: url.protocol.slice(0, -1), hostname: url.hostname, port: portOf(url), path, ...spelled },
    }),
  };
}

function responseOf(denied: boolean, ended: Json | undefined): Document {
  const status = memberOf(ended, 'status');
  if (denied) return { http_response: { code: FORBIDDEN } };
  if (typeof status !== 'number') return {};
  return { http_response: { code: status, body_length: memberOf(memberOf(ended, 'response'), 'bytes') } };
}

/** As the agent's side sees it: out is the request. */
function trafficOf(ended: Json | undefined): Document {
  const [out, back] = ['request', 'response'].map((name) => memberOf(memberOf(ended, name), 'bytes'));
  if (typeof out !== 'number' || typeof back !== 'number') return {};
  return {
    traffic: { bytes: out + back, bytes_in: back, bytes_out: out },
    duration: memberOf(ended, 'duration_ms'),
  };
}

function authorizationsOf({ seq, statement }: Exported): Document {
  const question = questionOf(seq, statement);
  if (!question) return {};
  const policy = { name: 'writ/decision', uid: question.bundle, version: question.revision };
  const decision =
    question.code === 'policy_denied' ? 'deny' : question.result === undefined ? 'none' : 'allow';
  return { authorizations: [{ decision, policy }] };
}

function grantsOf(predicate: Json | undefined): readonly Json[] {
  const chain = memberOf(memberOf(predicate, 'grant'), 'chain');
  return Array.isArray(chain)
    ? chain.flatMap((link: Json) => (isJsonObject(link) ? (link['jti'] ?? []) : []))
    : [];
}

function originOf(predicate: Json | undefined): string {
  return textOf(memberOf(memberOf(predicate, 'entry'), 'origin')) ?? 'unknown';
}

function idOf(statement: Json): string | undefined {
  const subject = memberOf(statement, 'subject');
  return Array.isArray(subject) ? textOf(memberOf(subject[0], 'name'))?.replace('urn:uuid:', '') : undefined;
}

function portOf({ port, protocol }: URL): number {
  return port === '' ? (protocol === 'https:' ? 443 : 80) : Number(port);
}
