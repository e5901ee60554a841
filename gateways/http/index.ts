// Owns: the door of what is pulled over HTTP, whatever it turns out to be, and of files that are played. It listens to
// nothing. May import: core.
export { pullFile } from './file-pull.ts';
export { pullHttp } from './http-pull.ts';
export { filePuller, httpPuller } from './puller.ts';
