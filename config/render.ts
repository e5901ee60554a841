// Owns: the example file and the reference page, made from the schema so that they cannot differ from it. Pure.
import { configSchema } from './schema.ts';
import { environmentName, listSettings, type Setting } from './settings.ts';

function defaultText({ defaultValue }: Setting): string {
  return defaultValue === undefined ? '' : JSON.stringify(defaultValue);
}

/** A section that may be absent is absent: with half of its settings it would be refused. */
function isLeftOut(section: string, settings: readonly Setting[]): boolean {
  const inside = settings.filter(({ path }) => path.join('.').startsWith(`${section}.`));
  return inside.every(({ isInOptionalSection }) => isInOptionalSection);
}

/** `config/gateway.example.yaml`: every setting at its default, commented out where it has none. */
export function renderExample(): string {
  const { sections, settings } = listSettings(configSchema);
  const lines = [
    '# Switchyard: every setting, at its default. Made from config/schema.ts by `npm run generate:config`.',
    '# Use: npm start -- --config gateway.yaml   Unknown keys are refused with their path.',
    '# Each can also be set by environment (http.port: SWITCHYARD_HTTP_PORT) or flag (--http.port 80).',
  ];
  const openSections = new Set<string>();
  for (const setting of settings) {
    for (let depth = 1; depth < setting.path.length; depth++) {
      const path = setting.path.slice(0, depth);
      const name = path.join('.');
      if (openSections.has(name)) continue;
      openSections.add(name);
      const indent = '  '.repeat(depth - 1);
      if (depth === 1) lines.push('');
      const description = sections.find((section) => section.path.join('.') === name)?.description;
      if (description) lines.push(`${indent}# ${description}`);
      lines.push(`${indent}${isLeftOut(name, settings) ? '# ' : ''}${path.at(-1)}:`);
    }
    const indent = '  '.repeat(setting.path.length - 1);
    const choices = setting.choices.length > 0 ? ` One of ${setting.choices.join(', ')}.` : '';
    lines.push(`${indent}# ${setting.description}${choices}`);
    const text = defaultText(setting);
    const line = `${setting.path.at(-1)}:${text === '' ? '' : ` ${text}`}`;
    lines.push(`${indent}${text === '' || setting.isInOptionalSection ? '# ' : ''}${line}`);
  }
  return `${lines.join('\n')}\n`;
}

/** `docs/config.md`. */
export function renderReference(): string {
  const { settings } = listSettings(configSchema);
  const rows = settings.map((setting) => {
    const kind = setting.choices.length > 0 ? setting.choices.join(' \\| ') : setting.kind;
    return `| \`${setting.path.join('.')}\` | ${kind} | ${defaultText(setting) ? `\`${defaultText(setting)}\`` : ''} | ${setting.description} | \`${environmentName(setting.path)}\` |`;
  });
  return `# Configuration

Made from \`config/schema.ts\` by \`npm run generate:config\`; a test compares.

Defaults, then \`--port-base N\`, then the file (\`--config FILE\` or \`SWITCHYARD_CONFIG\`), then the environment, then flags
(\`--http.port 80\`); later ones win. Unknown keys, variables and flags are refused with their name.
\`SWITCHYARD_ADMIN_KEY\` is short for \`auth.adminKey\`. Lists are given as JSON or separated by commas.

| setting | kind | default | meaning | environment |
|---|---|---|---|---|
${rows.join('\n')}
`;
}
