// Owns: where `--port-base N` puts every port (docs/architecture.md §5). Pure. May import: nothing.

/** Setting to its distance from N; what lies between is kept for protocols to come. */
export const portOffsets: Readonly<Record<string, number>> = {
  'http.port': 0,
  'https.port': 1,
  'metrics.port': 2,
  'rtmp.port': 3,
  'rtmp.tlsPort': 4,
  'rtsp.port': 5,
  'rtsp.tlsPort': 6,
  'sip.port': 7,
  'sip.tlsPort': 8,
  'srt.port': 9,
  'sfu.firstPort': 10,
  'rtp.firstPort': 100,
  'rtp.lastPort': 899,
};
