/** `home-process.ts HOME`: makes a home with an authority of its own, as `writ init` and `writ keys new authority` do. */
import { join } from 'node:path';
import { makeAuthority } from '../../src/authority/make.ts';
import { loadSettings } from '../../src/config/load.ts';
import { makeDefaultHome } from '../../src/sidecar/first-home.ts';

const [, , home = ''] = process.argv;
const loaded = loadSettings({ flags: [], env: { WRIT_HOME: home }, cwd: '/' });
if (!loaded.ok) throw new Error('faulty settings');
await makeDefaultHome(loaded.settings);
const keyFile = join(home, 'keys', 'authority.jwk');
makeAuthority({ keyFile, anchors: loaded.settings.grant.authorities, iss: 'urn:writ:authority:test' });
process.stdout.write('made\n');
