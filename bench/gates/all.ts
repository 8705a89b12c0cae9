import type { Gate } from './gate.ts';
import { gitGate, gitGateTwice } from './git-gate.ts';
import { httpBackend } from './http-backend.ts';

/** Every taker of pushes, in the order of the tables. */
export const GATES: readonly Gate[] = [gitGate, gitGateTwice, httpBackend];
