/** Somebody with nothing but the documents, a Python and its `cryptography`: grants at their limits, denials, the log. */
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { loadSigner, newKey } from '../../src/crypto/node.ts';
import { readIdentity } from '../../src/lineage/identity.ts';
import { layoutOf } from '../../src/lineage/layout.ts';
import { formatTrust } from '../../src/receipt/trust-file.ts';
import { ChildSidecar } from '../e2e/child-sidecar.ts';
import { makeHome } from '../e2e/home.ts';
import { echo, startOrigin } from '../e2e/origin.ts';
import { compiled } from '../e2e/policies.ts';
import { run } from '../e2e/program.ts';
import { unlessInstalled } from './tool.ts';

const PROGRAM = fileURLToPath(new URL('python/outsider.py', import.meta.url));
const SCHEMA = fileURLToPath(new URL('../../rego/writ/input.schema.json', import.meta.url));
const ISS = 'https://authority.example';
const found = unlessInstalled('python3', '-c', 'import cryptography, jsonschema');

/** Reads every kind of content. */
const READER = {
  'reader.rego': `package policy

deny contains "secret" if input.call.content.json.secret

deny contains "secret" if "a" in input.call.content.form.secret

deny contains "secret" if {
	some part in input.call.content.multipart
	part.name == "secret"
}

deny contains "secret" if input.call.content.mcp.tool == "secret"
`,
};

const skip = found && 'Python has no cryptography, or no jsonschema';

t.test('an outsider verifies grants, denials, the log and what policies were asked', { skip }, async (t) => {
  const origin = await startOrigin(t, (request, response) => {
    for (const name of ['writ-decision', 'writ-other', 'proxy-status']) response.setHeader(name, 'a fake');
    echo(request, response);
  });
  const policy = { bundle: await compiled(READER) };
  const home = await makeHome(t, { origins: [origin], settings: { policy, lineage: { inputs: 'keep' } } });
  const { d, ...jwk } = newKey();
  home.authorize(JSON.stringify({ authorities: [{ iss: ISS, jwk }] }));
  const sidecar = await ChildSidecar.start(t, home);
  const { receiptKey, logKey } = readIdentity(layoutOf(home.path));
  const document = {
    forward: sidecar.port('forward'),
    admin: sidecar.port('admin'),
    token: home.adminToken(),
    trust: formatTrust(receiptKey, logKey),
    authority: { iss: ISS, d },
    upstream: origin.url,
    inputs: join(home.path, 'inputs'),
    schema: SCHEMA,
  };
  const ask = async (more: object): Promise<object> => {
    const { exit, stdout, stderr } = await run(
      'python3',
      ['-B', PROGRAM],
      JSON.stringify({ ...document, ...more }),
    );
    return { exit, said: stdout, why: stderr.trim().split('\n').at(-1) };
  };

  t.match(await ask({}), { exit: 0, said: /^\d{3} entries, \d{2} inputs\n$/, why: '' });
  const other = loadSigner(newKey()).key;
  t.match(await ask({ trust: formatTrust(other, logKey) }), { exit: 1, why: /^KeyError/ });
});
