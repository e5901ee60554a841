// Owns: telling which fonts are missing, as JSON on standard output. A program of its own, run by src/jobs/font-check.ts.
import { missingFonts } from './mixer/fonts.ts';

process.stdout.write(JSON.stringify(missingFonts()));
