/** What a leaf costs, minted and made ready for TLS, each for a host of its own: `node test/bench/leaves.ts`. */
import {
  CertificateAuthority,
  makeCertificateAuthority,
} from '../../src/proxy/tunnel/certificate-authority.ts';

const COUNT = 2000;
const WARM = 200;
const authority = new CertificateAuthority(makeCertificateAuthority(Date.now()), () => Date.now());
const validity = { from: Date.now(), until: Date.now() + 3_600_000 };

report('leaf', (host) => void authority.leaf(host, validity));
report('leaf with its TLS context', (host) => void authority.contextFor(host));
authority.contextFor('known.example.com');
report('a host that is known', () => void authority.contextFor('known.example.com'));

/** CPU time each, which other programs change little, and the clock's median and 99th percentile. */
function report(what: string, once: (host: string) => void): void {
  const took: number[] = [];
  let busy = process.cpuUsage();
  for (let i = 0; i < WARM + COUNT; i++) {
    if (i === WARM) busy = process.cpuUsage();
    const began = performance.now();
    once(`host-${i}.${what.length}.example.com`);
    if (i >= WARM) took.push(performance.now() - began);
  }
  const { user, system } = process.cpuUsage(busy);
  took.sort((a, b) => a - b);
  const at = (share: number): string => (took[Math.floor(share * (COUNT - 1))] ?? 0).toFixed(3);
  const cpu = ((user + system) / 1000 / COUNT).toFixed(3);
  console.log(`${what}: ${cpu} ms of CPU; median ${at(0.5)} ms, p99 ${at(0.99)} ms`);
}
