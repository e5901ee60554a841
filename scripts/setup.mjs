#!/usr/bin/env node
/** `npm run setup`: everything that `npm start` needs, without starting; with --test everything that `npm test` needs. */
import { prepare } from './setup/prepare.mjs';
import { reportFailure, say } from './setup/progress.mjs';

try {
  await prepare({ worker: true, web: true, testPackages: process.argv.includes('--test') });
  say('ready');
} catch (error) {
  process.exitCode = reportFailure(error);
}
