import { act, exitWith } from './act.ts';
import { beginRun } from './begin-run.ts';
import { VERBS } from './verbs.ts';

/** `bottled run` in a file of its own: PID 1 reads, compiles and keeps nothing of the other verbs. */
void exitWith(act(VERBS.run, process.argv.slice(3), beginRun));
