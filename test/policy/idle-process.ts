/** A program that decides once and never closes its pool: it ends by itself. */
import { PolicyPool } from '../../src/policy/pool.ts';
import { handmade } from './bundle-files.ts';

const tooLongForATest = 3_600_000;
const pool = new PolicyPool({ deadline: tooLongForATest, loading: tooLongForATest });
await pool.activate(await handmade());
const evaluation = await pool.decide('{}');
console.log(evaluation?.answer.ok && evaluation.answer.value.allow ? 'allow' : 'deny');
