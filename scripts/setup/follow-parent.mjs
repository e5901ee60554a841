/**
 * Loaded into the gateway by scripts/start.mjs: when the process that started it is gone without a word (SIGKILL, a
 * closed container shell), the gateway drains instead of holding its ports for ever.
 */
process.once('disconnect', () => process.kill(process.pid, 'SIGTERM'));
process.channel?.unref(); // the listener alone keeps no process alive

// Processes that the gateway forks have channels of their own and are not to load this.
const own = process.execArgv.indexOf(import.meta.url);
if (own > 0) process.execArgv.splice(own - 1, 2);
