import { attackSuite } from './suite.ts';

// One after the other: both need the address of the metadata service.
attackSuite('bundle', true);
attackSuite('split', process.env.ATTACK_TWINS === 'all');
