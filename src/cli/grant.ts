/** `writ grant`: issue and inspect grants. */
import type { Command } from 'commander';
import { inspectGrant } from './grant/inspect.ts';
import { issue } from './grant/issue.ts';
import { addHomeFlags } from './settings-flags.ts';

/** Adds `writ grant issue|inspect`. */
export function registerGrant(program: Command): void {
  const grant = program
    .command('grant')
    .description('Grants say which calls an agent may make, and until when.');
  addHomeFlags(
    grant
      .command('issue')
      .description(
        'Sign a root grant: by the running sidecar, or with the key file of the home (not recorded).',
      ),
  )
    .option(
      '--location <origin...>',
      'origins it covers, such as https://api.example.com (default: the upstream of `writ dev`)',
    )
    .option('--action <method...>', 'methods it covers (default: GET)')
    .option('--path <pattern...>', 'paths it covers, such as /repos/acme/** (default: all)')
    .option('--ttl <time>', 'lifetime: 90s, 10m, 1h', '10m')
    .option('--max-calls <n>', 'how many calls, counted in the log')
    .option('--max-seconds <n>', 'how long a call may run')
    .option('--max-request-bytes <n>', 'largest request body')
    .option('--max-response-bytes <n>', 'largest response body')
    .option('--content-sha256 <hex>', 'the one body it covers')
    .option('--mcp-tool <name...>', 'tools of an MCP server that calls may name; * stands for any text')
    .option('--sub <agent>', 'who gets it', 'agent:dev')
    .option('--aud <audience>', 'sidecar that it is for (default: the one of this home)')
    .option('--intent <text>', 'why; goes on record with every call')
    .option('--claim <name=value...>', 'facts for policy, as input.grant.claims')
    .option('--policy <sha256>', 'valid only while the policy bundle with this digest is active')
    .option('--json', 'as JSON; else only the token')
    .addHelpText('after', ISSUE_EXAMPLE)
    .action((_, command: Command) => issue(command));
  addHomeFlags(
    grant
      .command('inspect')
      .description('Show what a grant says, and whether this home would accept it now.')
      .argument('<token>', 'the token, or - for standard input'),
  )
    .option('--json', 'as JSON')
    .action((token: string, _, command: Command) => inspectGrant(token, command));
}

const ISSUE_EXAMPLE = `
Example:
  writ grant issue --location http://127.0.0.1:18080 --action GET POST --path '/notes/**' --max-calls 5`;
