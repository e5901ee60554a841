// Owns: telling other servers what happened here. The folder's only door. May import: core, src/wire.
export { createHookAsker } from './ask.ts';
export { Webhooks, type WebhooksSettings } from './webhooks.ts';
