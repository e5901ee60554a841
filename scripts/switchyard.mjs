#!/usr/bin/env node
/** The command `switchyard`: like `npm start`, from any folder and for every subcommand of src/main.ts. */
import './start.mjs';
