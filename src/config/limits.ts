/** The settings of section `limits`: how much agents may ask of the sidecar, and for how long. */
import { section, setting } from './setting.ts';
import { path, whole } from './values.ts';

/** Rows of the one table in schema.ts. */
export const limits = section({
  max_connections: setting(whole(1, 1_000_000), 1024, {
    kind: 'whole',
    description:
      'Connections from the agent, on each listener; fewer where the limit of open files (`ulimit -n`) allows fewer. Past it, the one that has waited longest for its first request makes room, then the one whose last call is longest over; a call under way is never ended for it.',
  }),
  max_idle_tls: setting(whole(1, 1_000_000), 128, {
    kind: 'whole',
    description:
      'Of these, those in TLS that the sidecar opened and that have no call now: each costs some 70 KiB. Past it, the one that has had none for longest is closed; a client opens another when it has a call.',
  }),
  max_streams: setting(whole(0, 1_000_000), 1024, {
    kind: 'whole',
    description:
      'Calls at once, on each listener, that run beside another on the same HTTP/2 connection, or wait behind one on HTTP/1.1 (pipelined). Past it a stream is refused (`REFUSED_STREAM`), and its client may send it again; a connection that pipelines is closed.',
  }),
  max_handshakes: setting(whole(1, 1_000_000), 128, {
    kind: 'whole',
    description:
      'Tunnels, on each listener, whose TLS is not open yet. One more closes the one that has waited longest: honest ones take milliseconds.',
  }),
  header_timeout_ms: setting(whole(100, 120_000), 10_000, {
    kind: 'whole',
    description: 'A request head must be complete by then.',
  }),
  idle_timeout_ms: setting(whole(0, 86_400_000), 300_000, {
    kind: 'whole',
    description:
      'A call whose agent for so long sends nothing of a body that is not answered yet, or takes nothing of its response, is ended (`agent_idle`); 0 waits as long as its grant allows.',
  }),
  min_body_bytes_per_second: setting(whole(0, 1_000_000_000), 240, {
    kind: 'whole',
    description:
      'A body that is passed on and not answered yet has 30 s, or `limits.idle_timeout_ms` where no length was declared, and one second more for each so many bytes that came, but never more than that timeout; its call is ended where not (`content_timeout`). What its upstream takes of time does not count. A body without a declared length whose `Content-Type` is a stream (docs/proxy.md) is only not to fall silent. 0: as slowly as it likes.',
  }),
  max_bound_body_bytes: setting(whole(0, 67_108_864), 1_048_576, {
    kind: 'whole',
    live: true,
    description:
      'Bodies that a grant binds or that policy looks at are held in memory up to this size. What must be parsed and is larger is denied; what a grant binds by digest goes to disk.',
  }),
  max_held_bytes: setting(whole(0, 17_179_869_184), 33_554_432, {
    kind: 'whole',
    description:
      'All bodies in memory together, a quarter of it for those that need not be parsed: they go to disk past that. For any other, where it is full, the agent that holds the most gives up its oldest: first one that is still being read, then, for another agent, one that waits for its upstream.',
  }),
  bound_body_timeout_ms: setting(whole(100, 86_400_000), 60_000, {
    kind: 'whole',
    live: true,
    description:
      'A body that is held, in memory or on disk, must be whole by then; its call is denied where not.',
  }),
  max_spooled_body_bytes: setting(whole(0, 1_099_511_627_776), 67_108_864, {
    kind: 'whole',
    live: true,
    description:
      'Bodies that a grant binds by digest are held on disk up to this size; larger ones are denied.',
  }),
  max_spool_bytes: setting(whole(0, 1_099_511_627_776), 1_073_741_824, {
    kind: 'whole',
    description: 'All bodies on disk together; where it is full, room is made as in `limits.max_held_bytes`.',
  }),
  spool: setting(path, '<home>/spool', {
    kind: 'path',
    description: 'Folder for bodies on disk. They have no name there, and are gone when their call ends.',
  }),
});
