// Owns: writing the generated pages (`npm run generate:config`).
import { writeFileSync } from 'node:fs';
import { renderExample, renderReference } from './render.ts';

writeFileSync(new URL('gateway.example.yaml', import.meta.url), renderExample());
writeFileSync(new URL('../docs/config.md', import.meta.url), renderReference());
