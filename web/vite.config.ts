// Owns: how the two pages and the library become files in web/dist. May import: vite.
import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vite';

const at = (path: string) => fileURLToPath(new URL(path, import.meta.url));

export default defineConfig({
  root: at('.'),
  base: '/',
  publicDir: false,
  oxc: { jsx: { runtime: 'automatic', importSource: 'preact' } },
  build: {
    outDir: at('./dist'),
    emptyOutDir: true,
    target: ['chrome111', 'firefox120', 'safari16.4'],
    // Nothing inlined: the content security policy of the pages allows what comes from our origin, and no more.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    rolldownOptions: {
      input: {
        meeting: at('./meeting.html'),
        console: at('./console.html'),
        'switchyard-client': at('./client/index.ts'),
      },
      // The library is an entry for other people's pages: its exports are its purpose.
      preserveEntrySignatures: 'exports-only',
      output: {
        entryFileNames: ({ name }) =>
          name === 'switchyard-client' ? 'assets/switchyard-client.js' : 'assets/[name]-[hash].js',
      },
    },
  },
});
