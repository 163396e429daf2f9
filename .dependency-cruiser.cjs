/**
 * Which way imports point (docs and test: test/architecture.test.ts; by hand: `npx depcruise src`).
 * A file may import from its own room or from rooms to the left; rooms of one column do not know each other.
 */
const columns = [
  ['crypto', 'denial'],
  ['config'],
  ['call'],
  ['lineage'],
  ['receipt', 'grant'],
  ['policy'],
  ['trust', 'risk'],
  ['gate'],
  ['proxy', 'authority', 'fleet', 'console'],
  ['sidecar'],
  ['demo'],
  ['cli'],
  ['thread', 'main'],
];

const inRooms = (rooms) =>
  rooms.includes('main') ? `^src/(${rooms.join('|')})([./])` : `^src/(${rooms.join('|')})/`;

/** One rule a room: everything in src that is neither itself nor to its left is forbidden. */
const direction = columns.flatMap((column, i) =>
  column.map((room) => ({
    name: `direction-${room}`,
    comment: `${room} may know only what is to its left: see the columns in .dependency-cruiser.cjs`,
    severity: 'error',
    from: { path: inRooms([room]) },
    to: {
      path: '^src/',
      pathNot: inRooms([...columns.slice(0, i).flat(), room, ...(room === 'thread' ? ['main'] : [])]),
    },
  })),
);

/** What the browser's proof viewer and the CLI both run. */
const portable =
  '^src/(crypto/(?!node[.]ts)|receipt/(verif|statement|body|dsse|verdict|trust-file|existed)|lineage/(merkle|proof|checkpoint|note|consistency|tiles/(tile|path|proof)|witness/(tlog-policy|cosignature|fork|fork-compare)|timestamp/(timestamp|certificate|chain|fault|key|signature))[.]ts)';

module.exports = {
  forbidden: [
    ...direction,
    {
      name: 'room-unknown',
      comment: 'a new room needs its column',
      severity: 'error',
      from: {},
      to: { path: '^src/', pathNot: `${inRooms(columns.flat())}|^src/main[.]ts$` },
    },
    {
      name: 'portable',
      comment: 'files that browsers run import only each other, and packages without Node',
      severity: 'error',
      from: { path: portable },
      to: {
        pathNot: `${portable}|^src/(denial|config/safe-text)|^node_modules/(@noble|canonicalize|asn1js|pkijs)/`,
        dependencyTypesNot: ['type-only'],
      },
    },
    {
      name: 'cycle',
      comment: 'files that need each other are one idea in two files',
      severity: 'error',
      from: {},
      to: { circular: true, viaOnly: { dependencyTypesNot: ['type-only'] } },
    },
    {
      name: 'orphan',
      comment: 'nobody needs it',
      severity: 'error',
      from: { orphan: true, pathNot: '[.]d[.]ts$|^src/cli/bin[.]js$' },
      to: {},
    },
    {
      name: 'unresolvable',
      comment: 'there is no such file or package',
      severity: 'error',
      from: {},
      to: { couldNotResolve: true },
    },
    {
      name: 'production-only',
      comment: 'what is shipped imports only what is shipped',
      severity: 'error',
      from: { path: '^src/' },
      to: { dependencyTypes: ['npm-dev', 'npm-no-pkg', 'npm-unknown'] },
    },
    {
      name: 'source-only',
      comment: 'sources know no tests and no scripts',
      severity: 'error',
      from: { path: '^src/' },
      to: { path: '^(test|rego|deploy|dist)/' },
    },
  ],
  options: {
    tsPreCompilationDeps: true,
    doNotFollow: { path: 'node_modules' },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'node', 'default', 'types'],
    },
  },
};
