// drachtio-fsmrf has no types of its own; what we use of it is in fsmrf-shapes.ts.
declare module 'drachtio-fsmrf' {
  const Mrf: unknown;
  export default Mrf;
}
