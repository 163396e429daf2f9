/** The example pod, built from this checkout and run by podman: what a test needs to play it and to look inside. */
import { execFile, spawn } from 'node:child_process';
import { writeFileSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../../../', import.meta.url));
const kubernetes = join(root, 'deploy/kubernetes');
const engine = fileURLToPath(new URL('engine.sh', import.meta.url));
const MAX_OUTPUT_BYTES = 16 * 1024 * 1024;
/** Two podman commands that wait for each other's locks wait for ever: none may outlive the test that began it. */
const PATIENCE_MS = 240_000;

/** How a program ended. */
export interface Ended {
  /** -1 where it did not end by itself. */
  readonly exit: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a program to its end, whatever its exit code; `input` is its standard input. */
export function run(program: string, args: readonly string[], input = ''): Promise<Ended> {
  return new Promise((resolve) => {
    const options = {
      cwd: root,
      maxBuffer: MAX_OUTPUT_BYTES,
      timeout: PATIENCE_MS,
      killSignal: 'SIGKILL',
    } as const;
    const child = execFile(program, [...args], options, (fault, stdout, stderr) => {
      const exit = fault ? (typeof fault.code === 'number' ? fault.code : -1) : 0;
      resolve({ exit, stdout, stderr });
    });
    child.stdin?.end(input);
  });
}

/** `writ …` from this checkout. */
export function writ(...args: readonly string[]): Promise<Ended> {
  return run(process.execPath, [join(root, 'src/cli/bin.js'), ...args]);
}

/** `engine.sh …`; rejects where it fails. */
export async function container(...args: readonly string[]): Promise<string> {
  const { exit, stdout, stderr } = await run(engine, args);
  if (exit !== 0) throw new Error(`engine.sh ${args.join(' ')}: exit ${exit}\n${stdout}${stderr}`);
  return stdout;
}

/** Why containers cannot be run here, or false. */
export async function whyNot(): Promise<string | false> {
  const { exit, stdout } = await run(engine, ['check']);
  return exit === 0 ? false : stdout.trim();
}

/** Builds both images of the example. */
export async function buildImages(): Promise<void> {
  await container('build', 'localhost/writ:latest', root);
  await container('build', 'localhost/writ-example-agent:latest', join(root, 'deploy/example-agent'));
}

/** What an operator makes before the pod: who signs grants, and the agent's own. */
export interface Prepared {
  /** Text of `authorities.json`. */
  readonly authorities: string;
  /** Compact JWS. */
  readonly grant: string;
}

/** Starts origin and pod as in deploy/kubernetes. Resolves when the containers run, not when they are ready. */
export async function play(folder: string, { authorities, grant }: Prepared): Promise<void> {
  await removePods(); // what a killed run left behind
  // podman 4.3 does not undo the base64 of a played Secret that is mounted; made by itself, it is taken as it stands.
  const secret = join(folder, 'secret.yaml');
  writeFileSync(secret, JSON.stringify({ data: { token: grant } }), { mode: 0o600 });
  const configMap = {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: 'writ-authorities' },
    data: { 'authorities.json': authorities },
  };
  // podman takes a ConfigMap only from the file of the pod that mounts it. JSON is YAML.
  const pod = join(folder, 'pod.yaml');
  writeFileSync(
    pod,
    `${JSON.stringify(configMap)}\n---\n${readFileSync(join(kubernetes, 'pod.yaml'), 'utf8')}`,
  );
  await container('podman', 'secret', 'create', 'example-agent-grant', secret);
  await container('podman', 'kube', 'play', join(kubernetes, 'origin.yaml'));
  await container('podman', 'kube', 'play', pod);
}

/** Ends and removes the pods with all that belongs to them. */
export async function removePods(): Promise<void> {
  await container('podman', 'pod', 'rm', '--all', '--force');
  await container('podman', 'volume', 'prune', '--force');
  await container('podman', 'secret', 'rm', '--all');
}

/** The rest of the first line of a container's log that begins with `start`; waits for it. */
export async function logLine(name: string, start: string): Promise<string> {
  const follower = spawn(engine, ['podman', 'logs', '--follow', name], {
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  try {
    for await (const line of createInterface({ input: follower.stdout })) {
      if (line.startsWith(start)) return line.slice(start.length).trim();
    }
  } finally {
    follower.kill();
  }
  throw new Error(`${name} ended without a line "${start}…"`);
}
