import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { parseAllDocuments } from 'yaml';
import { missing } from '../program.ts';

const root = fileURLToPath(new URL('../../../', import.meta.url));
const folder = join(root, 'deploy/kubernetes');
const skip = missing('kubectl');

interface Security {
  readonly runAsUser?: number;
  readonly runAsNonRoot?: boolean;
  readonly allowPrivilegeEscalation?: boolean;
  readonly privileged?: boolean;
  readonly capabilities?: { readonly add?: readonly string[]; readonly drop?: readonly string[] };
  readonly seccompProfile?: { readonly type: string };
}

interface Container {
  readonly name: string;
  readonly restartPolicy?: string;
  readonly startupProbe?: { readonly timeoutSeconds?: number };
  readonly securityContext: Security;
  readonly volumeMounts?: readonly { readonly name: string; readonly mountPath: string }[];
}

interface Manifest {
  readonly kind: string;
  readonly metadata: { readonly name: string };
  readonly data?: Readonly<Record<string, string>>;
  readonly binaryData?: Readonly<Record<string, string>>;
  readonly spec: {
    readonly securityContext: Security;
    readonly containers: readonly Container[];
    readonly initContainers?: readonly Container[];
    readonly volumes?: readonly Readonly<Record<string, unknown>>[];
  };
}

const plain = ['origin.yaml', 'pod.yaml'].flatMap((name) => read(readFileSync(join(folder, name), 'utf8')));

t.test('a namespace that enforces the restricted standard takes every container of the example', (t) => {
  for (const { metadata, spec } of pods(plain)) {
    for (const kind of (spec.volumes ?? []).flatMap((volume) => Object.keys(volume)))
      t.ok(['name', 'emptyDir', 'configMap', 'secret'].includes(kind), `${metadata.name} may have ${kind}`);
    for (const { name, securityContext } of [...spec.containers, ...(spec.initContainers ?? [])]) {
      const { capabilities, ...security } = { ...spec.securityContext, ...securityContext };
      t.match(
        security,
        { runAsNonRoot: true, allowPrivilegeEscalation: false, seccompProfile: { type: 'RuntimeDefault' } },
        `${metadata.name}/${name}`,
      );
      t.notOk(security.privileged);
      t.same(capabilities, { drop: ['ALL'] });
    }
  }
  t.end();
});

t.test('agent and sidecar share neither uid nor volume', (t) => {
  const { initContainers, containers } = pod(plain, 'example-agent').spec;
  const sidecar = [...(initContainers ?? []), ...containers].filter(({ name }) => name.startsWith('writ'));
  const agent = containers.find(({ name }) => name === 'agent');
  t.equal(sidecar.length, 2);
  for (const { securityContext } of sidecar)
    t.not(securityContext.runAsUser, agent?.securityContext.runAsUser);
  const volumes = (of: Container | undefined) => (of?.volumeMounts ?? []).map(({ name }) => name);
  t.same(
    volumes(agent).filter((name) => sidecar.some((container) => volumes(container).includes(name))),
    [],
  );
  t.end();
});

t.test('for the kubelet, Writ starts before the agent and ends after it', { skip }, (t) => {
  const made = read(execFileSync('kubectl', ['kustomize', folder], { encoding: 'utf8' }));
  const { initContainers, containers } = pod(made, 'example-agent').spec;
  t.match(initContainers, [{ name: 'writ-init' }, { name: 'writ', restartPolicy: 'Always' }]);
  const { timeoutSeconds = 1 } = initContainers?.[1]?.startupProbe ?? {};
  t.ok(timeoutSeconds >= 5, 'what follows waits until it is ready, and a busy node has time to tell');
  t.notOk(initContainers?.[0]?.restartPolicy, 'keys and log are there before it starts');
  t.match(containers, [{ name: 'agent' }]);
  t.end();
});

t.test('the commands of docs/deploy.md make what the pods mount', { skip }, (t) => {
  const made = created(t.testdir({}));
  t.ok(made.length >= 3, 'there are commands');
  const keys = (name: string) => {
    const { data, binaryData } = made.find(({ metadata }) => metadata.name === name) ?? {};
    return Object.keys({ ...data, ...binaryData }).sort();
  };
  t.same(keys('writ-authorities'), ['authorities.json'], 'as grant.authorities says');
  t.same(keys('example-agent-grant'), ['token'], 'as the example agent reads it');
  t.same(keys('writ-policy'), ['.manifest', 'data.json', 'policy.wasm'], 'a bundle');
  const named = [...plain, ...made].map(({ metadata }) => metadata.name);
  for (const volume of pod(plain, 'example-agent').spec.volumes ?? [])
    if (!volume['emptyDir']) t.ok(named.includes(source(volume)), `${source(volume)} is made`);
  t.end();
});

/** What each `kubectl create` of the page makes, run as it stands, without a cluster. */
function created(cwd: string): Manifest[] {
  mkdirSync(join(cwd, 'authority'));
  mkdirSync(join(cwd, 'bundle'));
  for (const name of ['authority/authorities.json', 'grant.jws', 'bundle/policy.wasm', 'bundle/data.json'])
    writeFileSync(join(cwd, name), 'x');
  writeFileSync(join(cwd, 'bundle/.manifest'), '{}');
  const page = readFileSync(join(root, 'docs/deploy.md'), 'utf8').replace(/ \\\n */g, ' ');
  const commands = page.matchAll(/kubectl (create (?:configmap|secret) [^|`\n]+?) *(?:--dry-run.*|[`\n])/g);
  return [...commands].flatMap(([, command = '']) => {
    const args = [...command.split(' '), '--dry-run=client', '--output=yaml'];
    return read(execFileSync('kubectl', args, { cwd, encoding: 'utf8' }));
  });
}

function read(text: string): Manifest[] {
  return parseAllDocuments(text).map((document) => document.toJS() as Manifest); // as: what is used of it is compared
}

function pods(manifests: readonly Manifest[]): Manifest[] {
  return manifests.filter(({ kind }) => kind === 'Pod');
}

function pod(manifests: readonly Manifest[], name: string): Manifest {
  const found = pods(manifests).find(({ metadata }) => metadata.name === name);
  if (!found) throw new Error(`no pod ${name}`);
  return found;
}

/** The name of the ConfigMap or Secret behind a volume. */
function source(volume: Readonly<Record<string, unknown>>): string {
  const { configMap, secret } = volume as {
    configMap?: { name: string };
    secret?: { secretName: string };
  }; // as: Kubernetes' own form
  return configMap?.name ?? secret?.secretName ?? '';
}
