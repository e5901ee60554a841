// A gateway in a process of its own, to be killed: on the data folder of the first argument, its URL on the first line.
// Run by store-durability.test.ts.
import { startGateway } from '#test/support/gateway.ts';

const gateway = await startGateway({ data: process.argv[2] });
process.stdout.write(`${gateway.url}\n`);
