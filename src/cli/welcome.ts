/** What `writ dev` says once it is up: where everything is, and commands to try. Each was run as it stands here. */
import type { Stage } from '../demo/stage.ts';
import { homeFlag } from './home-flag.ts';
import { ownCommand } from './own-command.ts';
import { out } from './screen.ts';

/** Ports and places. `moved` names what could not have its usual port. */
export function tellPlaces(
  { sidecar, origin }: Stage,
  { home, moved }: { home: string; moved: readonly string[] },
): void {
  const { forward = 'off', reverse, transparent = 'off', admin = 'off' } = sidecar.urls;
  const took = `${Math.round(performance.now())} ms after the start`;
  out.line(`${out.paint('strong', 'Writ is up')}  ${out.paint('dim', took)}`);
  out.line();
  out.fields([
    ['forward proxy', forward],
    ['reverse proxy', reverse ? `${reverse}/demo → ${origin}` : 'off'],
    ['transparent', transparent],
    ['admin', `${admin}  (token in ${home}/admin.token)`],
    ['demo upstream', `${origin}  (allowed by name: upstream.allow)`],
    ['home', home],
    ['log', sidecar.origin],
  ]);
  if (moved.length > 0)
    out.line(out.paint('warn', `usual port busy, so a free one was taken: ${moved.join(', ')}`));
}

/** Commands to paste into another terminal, in the checkout. */
export function tellWelcome(
  { sidecar, origin }: Stage,
  { home, tour }: { home: string; tour: boolean },
): void {
  const { forward, admin } = sidecar.urls;
  const [at, writ] = [homeFlag(home), ownCommand()];
  const curl = `curl -sS --noproxy '' -x ${forward ?? 'http://127.0.0.1:3128'}`;
  const grant = (flags: string): string =>
    `"Writ-Grant: $(${writ} grant issue${at} --location ${origin}${flags})"`;
  out.line();
  out.line(out.paint('strong', tour ? 'Now you, in another terminal' : 'Try, in another terminal'));
  command('allowed', `${curl} -H ${grant('')} ${origin}/orders`);
  command('refused: no grant', `${curl} ${origin}/orders | ${writ} receipt show -`);
  command(
    'refused: the grant gives GET only',
    `${curl} -H ${grant('')} -X POST ${origin}/orders | ${writ} receipt show -`,
  );
  command(
    'refused by policy, the denial kept',
    `${curl} -H ${grant(' --action DELETE')} -X DELETE ${origin}/orders/1 -o denial.json`,
  );
  command(
    'verified offline',
    `${writ} trust export${at} > trust.json && ${writ} receipt verify denial.json --trust trust.json`,
  );
  command('the log', `${writ} lineage show${at}`);
  command('health', `curl -sS --noproxy '*' ${admin ?? ''}/readyz`); // past every proxy; '' is past none
  out.line();
  out.line(out.paint('dim', 'Calls appear below as they come. Ctrl-C stops.'));
  out.line();
}

function command(what: string, text: string): void {
  out.line();
  out.line(out.paint('dim', `# ${what}`));
  out.line(text);
}
