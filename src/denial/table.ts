/**
 * Every denial Writ can give, once. The problem type, title, remedy, metrics label and the documentation page derive
 * from this table. Codes are part of the wire format: they are never renamed, only added.
 */

interface Row {
  /** One short sentence for the agent's developer. */
  readonly title: string;
  /** What to do next. */
  readonly remedy: string;
}

const askAuthority = 'Ask the authority for a fresh grant (`writ grant issue`).';
const fixRequest = 'Correct the request; it was not forwarded.';
const tellOperator = 'Tell the operator of the sidecar; its log names the cause.';

/** Code → what the agent's developer reads. */
export const denials = {
  // call: what the bytes on the wire must be
  head_too_large: {
    title: 'The request head is too large',
    remedy: 'Send at most 16 KiB of request line and headers.',
  },
  header_count: { title: 'Too many headers', remedy: 'Send at most 100 headers.' },
  header_invalid: { title: 'A header is not allowed here', remedy: fixRequest },
  header_duplicate: { title: 'A header that must be single was repeated', remedy: fixRequest },
  header_lookalike: {
    title: 'A header name with underscores imitates another header',
    remedy: 'Write header names with hyphens.',
  },
  content_length_invalid: {
    title: 'Content-Length is not a plain number',
    remedy: 'Send decimal digits without sign, leading zero or list.',
  },
  transfer_coding_unsupported: {
    title: 'Only Transfer-Encoding: chunked in HTTP/1.1 is supported',
    remedy: fixRequest,
  },
  framing_invalid: {
    title: 'The message framing is ambiguous',
    remedy: 'Send one Content-Length of plain digits, or Transfer-Encoding: chunked, never both.',
  },
  expect_unsupported: { title: 'Only Expect: 100-continue is supported', remedy: fixRequest },
  trailers_unsupported: {
    title: 'These request trailers cannot be passed on',
    remedy: 'Leave them out; trailers pass only over HTTP/2, and none that change what was decided.',
  },
  http_version_unsupported: { title: 'Only HTTP/2, HTTP/1.1 and HTTP/1.0 are supported', remedy: fixRequest },
  method_invalid: { title: 'The method is not allowed', remedy: fixRequest },
  method_override: {
    title: 'A method or URL override header is not allowed',
    remedy: 'Send the real method and URL.',
  },
  target_invalid: { title: 'The request target is malformed', remedy: fixRequest },
  target_too_large: { title: 'The request target is too long', remedy: 'Send a target of at most 8 KiB.' },
  target_userinfo: {
    title: 'The request target holds a user name or password',
    remedy: 'Send credentials for the upstream in the Authorization header.',
  },
  target_fragment: { title: 'The request target holds a fragment', remedy: 'Leave out # and what follows.' },
  target_absolute_required: {
    title: 'The forward port takes absolute-form targets only',
    remedy: 'Use this port as an HTTP proxy, or call the reverse port.',
  },
  target_origin_required: {
    title: 'Only origin-form targets are taken here',
    remedy: 'Ask for a path, as one asks the upstream itself; who means a proxy calls the forward port.',
  },
  target_https_absolute: {
    title: 'An absolute https:// target cannot be sent in the clear',
    remedy: 'Use CONNECT for https:// (every client does, given HTTPS_PROXY).',
  },
  host_invalid: { title: 'The host is not a canonical name or address', remedy: fixRequest },
  host_missing: { title: 'The request has no Host header', remedy: fixRequest },
  authority_mismatch: { title: 'Host and request target name different authorities', remedy: fixRequest },
  authority_misdirected: {
    title: 'This connection was opened for another authority',
    remedy: 'Open a connection of its own for each host (421, RFC 9110 §15.5.20).',
  },
  path_bytes: {
    title: 'The path holds a byte that is not allowed',
    remedy: 'Percent-encode all but RFC 3986 path characters, as UTF-8; no NUL, no backslash.',
  },
  path_encoded_slash: {
    title: 'The path holds an encoded slash',
    remedy: 'The operator can set encoded_slash: segment for this route or origin.',
  },
  path_dot_segment: {
    title: 'The path holds a dot segment',
    remedy: 'Send the path that the dots lead to.',
  },
  path_empty_segment: { title: 'The path holds a double slash', remedy: 'Send single slashes.' },
  path_ambiguous: {
    title: 'The path can be read in more than one way',
    remedy: 'Encode once, and leave letters, digits, hyphen, period, underscore and tilde as they are.',
  },
  route_unknown: { title: 'No route for this path or host', remedy: 'Add a route to the settings.' },
  tunnel_unsupported: {
    title: 'CONNECT is taken on the forward port only',
    remedy: 'Send CONNECT to the forward port, over HTTP/1.1, and not inside another tunnel.',
  },
  tunnel_not_tls: {
    title: 'What came through the tunnel is not TLS',
    remedy: 'Speak TLS inside CONNECT; the operator can allow plain HTTP (tls.plain_in_tunnel).',
  },
  tunnel_name_mismatch: {
    title: 'TLS inside the tunnel names another host',
    remedy: 'Send the host of the CONNECT as server name (SNI), and none for an address.',
  },
  connection_not_http: {
    title: 'The connection is neither HTTP nor TLS',
    remedy: 'Only HTTP leaves through this port, inside TLS or in the clear.',
  },
  connection_unnamed: {
    title: 'TLS names no host',
    remedy: 'Send a host name as server name (SNI), or use the forward port.',
  },
  connection_ungranted: {
    title: 'TLS that stays closed cannot carry a grant here',
    remedy: 'Send CONNECT with a grant to the forward port.',
  },
  upgrade_unsupported: {
    title: 'The only upgrade is to a WebSocket',
    remedy: 'Send no Upgrade header, or exactly `Upgrade: websocket`.',
  },
  upgrade_invalid: {
    title: 'The WebSocket handshake is malformed',
    remedy: 'Send the opening handshake of RFC 6455, version 13, over HTTP/1.1.',
  },
  // grant
  grant_missing: {
    title: 'The call carries no grant',
    remedy: 'Send one Writ-Grant header. ' + askAuthority,
  },
  grant_ambiguous: {
    title: 'The call carries more than one grant',
    remedy: 'Send exactly one grant header.',
  },
  grant_too_large: { title: 'The grant is too large', remedy: 'A token is at most 8 KiB.' },
  grant_malformed: { title: 'The grant is not a well-formed token', remedy: askAuthority },
  grant_unknown_key: { title: 'No trusted authority has this grant’s key', remedy: askAuthority },
  grant_bad_signature: { title: 'The grant’s signature does not verify', remedy: askAuthority },
  grant_claims_invalid: { title: 'The grant’s claims are not valid', remedy: askAuthority },
  grant_chain_unsupported: {
    title: 'Delegated grants are not supported yet',
    remedy: 'Use a root grant of the authority.',
  },
  grant_possession_unsupported: {
    title: 'Grants bound to a key are not supported yet',
    remedy: 'Use a grant without cnf.',
  },
  grant_environment_unsupported: {
    title: 'Grants bound to an environment are not supported yet',
    remedy: 'Use a grant without env.',
  },
  grant_wrong_audience: { title: 'The grant is for another sidecar', remedy: askAuthority },
  grant_not_yet_valid: { title: 'The grant is not valid yet', remedy: 'Wait, or check both clocks.' },
  grant_expired: { title: 'The grant has expired', remedy: askAuthority },
  grant_lifetime: { title: 'The grant lives longer than this sidecar accepts', remedy: askAuthority },
  grant_revoked: { title: 'The grant was revoked', remedy: askAuthority },
  grant_wrong_policy: { title: 'The grant is for another policy bundle', remedy: askAuthority },
  authorities_unreadable: { title: 'The list of trusted authorities cannot be read', remedy: tellOperator },
  scope_location: { title: 'The grant does not cover this origin', remedy: askAuthority },
  scope_action: { title: 'The grant does not cover this method', remedy: askAuthority },
  scope_path: { title: 'The grant does not cover this path', remedy: askAuthority },
  scope_content: { title: 'The grant does not cover this content', remedy: askAuthority },
  scope_tools: {
    title: 'The grant does not cover what this asks of the MCP server',
    remedy: 'Call only tools that the grant names, in a JSON body. ' + askAuthority,
  },
  scope_request_bytes: { title: 'The request is larger than the grant allows', remedy: askAuthority },
  grant_used_up: { title: 'The grant’s uses are spent', remedy: askAuthority },
  // policy
  policy_denied: { title: 'Policy refused the call', remedy: 'The reasons name the rules that refused it.' },
  policy_undefined: { title: 'Policy gave no answer', remedy: tellOperator },
  policy_malformed: { title: 'Policy gave an answer of the wrong shape', remedy: tellOperator },
  policy_failed: { title: 'Policy could not be evaluated', remedy: tellOperator },
  policy_timeout: { title: 'Policy took too long', remedy: tellOperator },
  policy_obligation: { title: 'Policy set an obligation that cannot be kept', remedy: tellOperator },
  policy_input_too_large: { title: 'The policy input is too large', remedy: fixRequest },
  policy_content_unread: { title: 'Policy needs content that could not be read', remedy: fixRequest },
  content_unparsable: {
    title: 'Policy needs content, and it has no single reading',
    remedy: 'Send valid JSON or a valid form, with each member once.',
  },
  content_too_large: {
    title: 'The body is larger than the sidecar can hold',
    remedy: 'Send less, or ask the operator of the sidecar about its limits.',
  },
  content_timeout: {
    title: 'The body did not come in time',
    remedy:
      'Send it in one go; the operator can raise limits.bound_body_timeout_ms, or lower limits.min_body_bytes_per_second.',
  },
  policy_unavailable: { title: 'No policy is active', remedy: tellOperator },
  // govern
  not_trusted: { title: 'The sidecar is not in a trusted state', remedy: tellOperator },
  witness_overdue: {
    title: 'The log’s witnesses have not cosigned for too long',
    remedy: tellOperator,
  },
  witness_conflict: { title: 'A witness contradicts the log', remedy: tellOperator },
  stopping: { title: 'The sidecar is stopping', remedy: 'Try again after it has restarted.' },
  lease_expired: { title: 'The grant expired while the call ran', remedy: askAuthority },
  lease_seconds: { title: 'The call ran longer than it may', remedy: askAuthority },
  lease_request_bytes: { title: 'The request body is larger than it may be', remedy: askAuthority },
  lease_response_bytes: { title: 'The response body is larger than it may be', remedy: askAuthority },
  lease_stopped: {
    title: 'The sidecar stopped while the call ran',
    remedy: 'Try again after it has restarted.',
  },
  agent_idle: {
    title: 'The agent neither sent nor took anything for too long',
    remedy: 'Send a body in one go and read what comes; the operator can raise limits.idle_timeout_ms.',
  },
  websocket_frame: { title: 'A WebSocket frame broke the protocol', remedy: 'Send frames as in RFC 6455.' },
  websocket_too_large: {
    title: 'A WebSocket message is too large',
    remedy: 'Send smaller messages; the operator can raise websocket.max_message_bytes.',
  },
  websocket_idle: {
    title: 'The WebSocket was silent for too long',
    remedy: 'Send pings; the operator can raise websocket.idle_timeout_ms.',
  },
  // address
  name_unresolved: { title: 'The host name did not resolve', remedy: 'Check the name and the resolver.' },
  name_timeout: { title: 'The host name did not resolve in time', remedy: 'Check the resolver.' },
  address_own: {
    title: 'The address is one of the sidecar’s own listeners',
    remedy: 'Call the upstream itself.',
  },
  address_forbidden: {
    title: 'The address is private, local or reserved',
    remedy: 'The operator can name it exactly in upstream.allow.',
  },
  // record
  entry_too_large: {
    title: 'The call is too large to record',
    remedy: 'Shorten the path, or the grant’s intent.',
  },
  log_unavailable: { title: 'The lineage log cannot record the call', remedy: tellOperator },
  log_space_low: { title: 'The lineage log has no room left for calls', remedy: tellOperator },
  internal_error: { title: 'The sidecar failed to decide', remedy: tellOperator },
} as const satisfies Record<string, Row>;

/** A code of the table. */
export type DenialCode = keyof typeof denials;
