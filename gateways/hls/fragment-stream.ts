// Owns: fragments as the body of an HTTP response that goes on until somebody ends it. May import: core and its siblings here.
import type { CloseReason } from '#core/lifecycle.ts';
import type { Broadcast } from './broadcast.ts';
import { type FragmentOutlet, FragmentViewer } from './fragment-viewer.ts';

export interface FragmentStream {
  readonly body: ReadableStream<Uint8Array>;
  readonly viewer: FragmentViewer;
}

/** Ends where another initialisation would begin: most players of a file do not take two. */
export function fragmentStream(broadcast: Broadcast, maxBytes: number): FragmentStream {
  let controller: ReadableStreamDefaultController<Uint8Array> | undefined;
  let viewer: FragmentViewer | undefined;
  const body = new ReadableStream<Uint8Array>(
    {
      start: (started) => {
        controller = started;
      },
      cancel: () => void viewer?.close('peer_left'),
    },
    { highWaterMark: maxBytes, size: (chunk) => chunk.byteLength },
  );
  let hasBegun = false;
  const outlet: FragmentOutlet = {
    get bufferedBytes() {
      return maxBytes - (controller?.desiredSize ?? 0);
    },
    begin: ({ muxed }) => {
      if (hasBegun) return false;
      hasBegun = true;
      controller?.enqueue(muxed);
      return true;
    },
    send: (data) => controller?.enqueue(data),
    noteSkipped: () => undefined, // the times of what follows say it
    end: (reason: CloseReason) => {
      // A body that was cancelled is closed already.
      if (reason !== 'peer_left') controller?.close();
    },
  };
  viewer = new FragmentViewer(broadcast, outlet, maxBytes);
  return { body, viewer };
}
